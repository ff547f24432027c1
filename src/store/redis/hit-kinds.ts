import { bucketOfHit } from '../../core/algorithm/algorithm.ts';
import type { Hit } from '../../core/decision.ts';
import { isBucket, type Limit } from '../../core/limit.ts';

/** In ARGV, which counts from 1, behind the number of hits, where the runs begin, and where the ticks. */
const FIRST = 4;

/** What lua/batch.lua is told of hits beside their keys and times. Equal hits are of one kind, which is told once. */
export class HitKinds {
  readonly args: string[] = [];
  readonly #spreadSeconds: number;
  /** By what they are charged to, a limit or the seconds of a fixed window; then by cost. */
  readonly #known = new Map<Limit | number, Map<number, Kind>>();
  /** That of the newest hit, for neighbours are often alike. */
  #newest: Kind | null = null;

  /** The counters that hits create live so much longer than their windows. */
  constructor(spreadSeconds: number) {
    this.#spreadSeconds = spreadSeconds;
  }

  /** Where in ARGV the next one begins. */
  get end(): number {
    return FIRST + this.args.length;
  }

  /** Where in ARGV the kind of a hit begins. */
  of(hit: Hit): number {
    if (this.#newest === null || !isOf(this.#newest, hit)) this.#newest = this.#kindOf(hit);
    return this.#newest.at;
  }

  #kindOf(hit: Hit): Kind {
    const { limit, cost, windowSeconds } = hit;
    const to = limit.algorithm === 'fixed_window' ? windowSeconds : limit;
    const costs = this.#known.get(to) ?? new Map<number, Kind>();
    const known = costs.get(cost);
    // Months and days are not all as long.
    if (known?.windowSeconds === windowSeconds) return known;
    const kind = { at: this.end, limit, cost, windowSeconds };
    this.args.push(String(cost), ...this.#numbersOf(hit));
    this.#known.set(to, costs.set(cost, kind));
    return kind;
  }

  #numbersOf(hit: Hit): readonly string[] {
    const { limit, windowSeconds } = hit;
    if (isBucket(limit.algorithm)) {
      const { intervalUs, intervalParts, burst } = bucketOfHit(hit);
      return ['b', String(intervalUs), String(intervalParts), String(burst)];
    }
    if (limit.algorithm === 'fixed_window') return [String(windowSeconds + this.#spreadSeconds)];
    return ['s', String(2 * windowSeconds + this.#spreadSeconds), String(limit.requestsPerUnit)];
  }
}

interface Kind {
  /** Where in ARGV it begins. */
  readonly at: number;
  readonly limit: Limit;
  readonly cost: number;
  readonly windowSeconds: number;
}

function isOf(kind: Kind, { limit, cost, windowSeconds }: Hit): boolean {
  return kind.limit === limit && kind.cost === cost && kind.windowSeconds === windowSeconds;
}
