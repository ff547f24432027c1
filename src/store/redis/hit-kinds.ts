import { bucketOfHit, windowOfHit } from '../../core/algorithm/algorithm.ts';
import { elapsedTicks } from '../../core/algorithm/sliding-window.ts';
import type { Hit } from '../../core/decision.ts';
import { isBucket, type Limit } from '../../core/limit.ts';
import type { Micros } from '../../core/request.ts';

/** In ARGV, which counts from 1, behind the number of hits and where the runs begin. */
const FIRST = 3;

/** What lua/batch.lua is told of hits beside their keys. Equal hits are of one kind, which is told once. */
export class HitKinds {
  readonly args: string[] = [];
  /** Of the windows before, of hits on sliding windows. */
  readonly keysBefore: string[] = [];
  readonly #hits: number;
  readonly #spreadSeconds: number;
  /** By what they are charged to, a limit or the seconds of a fixed window; then by cost. */
  readonly #known = new Map<Limit | number, Map<number, number>>();

  /** `hits` are all of the batch; the counters that they create live so much longer than their windows. */
  constructor(hits: number, spreadSeconds: number) {
    this.#hits = hits;
    this.#spreadSeconds = spreadSeconds;
  }

  /** Where in ARGV the next one begins. */
  get end(): number {
    return FIRST + this.args.length;
  }

  /** Where in ARGV the kind of a hit begins. */
  of(hit: Hit, nowUs: Micros): number {
    const { limit, cost, windowSeconds } = hit;
    // Its place in the window is the request's, and the window before is its own.
    if (limit.algorithm === 'sliding_window') return this.#add(cost, this.#slidingWindow(hit, nowUs));
    const to = isBucket(limit.algorithm) ? limit : windowSeconds;
    const costs = this.#known.get(to) ?? new Map<number, number>();
    const known = costs.get(cost);
    if (known !== undefined) return known;
    const at = this.#add(cost, to === limit ? bucket(hit) : [String(windowSeconds + this.#spreadSeconds)]);
    this.#known.set(to, costs.set(cost, at));
    return at;
  }

  #add(cost: number, rest: readonly string[]): number {
    const at = this.end;
    this.args.push(String(cost), ...rest);
    return at;
  }

  #slidingWindow(hit: Hit, nowUs: Micros): readonly string[] {
    this.keysBefore.push(hit.previousKey);
    const lifeSeconds = 2 * hit.windowSeconds + this.#spreadSeconds;
    const ticks = elapsedTicks(windowOfHit(hit), nowUs);
    const before = this.#hits + this.keysBefore.length;
    return ['s', ...[lifeSeconds, hit.limit.requestsPerUnit, ticks, before].map(String)];
  }
}

function bucket(hit: Hit): readonly string[] {
  const { intervalUs, intervalParts, burst } = bucketOfHit(hit);
  return ['b', ...[intervalUs, intervalParts, burst].map(String)];
}
