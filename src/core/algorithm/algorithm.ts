import type { Hit } from '../decision.ts';
import { isBucket } from '../limit.ts';
import type { Micros } from '../request.ts';
import { isOver, usedAfter } from './fixed-window.ts';
import { bucketOf, gcra } from './gcra.ts';
import { slidingWindow } from './sliding-window.ts';

/** What a store keeps for a hit: two numbers, whatever the algorithm. Both are 0 when nothing is kept. */
export interface Counter {
  /** The counter of the window; of a bucket the microseconds of its theoretical arrival time. */
  readonly main: number;
  /** The counter of the window before, where it matters; of a bucket the parts of a microsecond. */
  readonly rest: number;
}

export const EMPTY: Counter = { main: 0, rest: 0 };

export interface Step<Kept> {
  readonly over: boolean;
  /** As the hit leaves it. */
  readonly counter: Kept;
}

export interface Look {
  readonly over: boolean;
  readonly used: number;
  readonly resetAfterUs: Micros;
}

/**
 * Charges a hit. A fixed window counts what it refuses, as the Go service does; any other algorithm takes nothing for it.
 */
export function step(hit: Hit, { main, rest }: Counter, nowUs: Micros): Step<Counter> {
  const { limit, cost } = hit;
  if (limit.algorithm === 'fixed_window') {
    const used = usedAfter(main, cost);
    return { over: isOver(used, limit.capacity), counter: { main: used, rest } };
  }
  if (isBucket(limit.algorithm)) {
    const { over, state } = gcra({ tatUs: main, tatParts: rest }, cost, bucketOfHit(hit), nowUs);
    return { over, counter: { main: state.tatUs, rest: state.tatParts } };
  }
  const { over, counters } = slidingWindow({ used: main, before: rest }, cost, windowOfHit(hit), nowUs);
  return { over, counter: { main: counters.used, rest: counters.before } };
}

/**
 * The same from what a reading tells as used, where nobody knows more: right for any algorithm at one moment, but for a
 * refund in a sliding window, which the window before may have spent.
 */
export function stepOfUsed(hit: Hit, used: number): Step<number> {
  const after = usedAfter(used, hit.cost);
  const over = isOver(after, hit.limit.capacity);
  return { over, counter: over && hit.cost > 0 && !countsRefused(hit) ? used : after };
}

/** Whether a hit of this algorithm takes something although it is refused. */
export function countsRefused({ limit }: Hit): boolean {
  return limit.algorithm === 'fixed_window';
}

/** What a look tells; or, of a cost that is refused, when it would be admitted. Not for fixed windows. */
export function look(hit: Hit, { main, rest }: Counter, cost: number, nowUs: Micros): Look {
  return isBucket(hit.limit.algorithm)
    ? gcra({ tatUs: main, tatParts: rest }, cost, bucketOfHit(hit), nowUs)
    : slidingWindow({ used: main, before: rest }, cost, windowOfHit(hit), nowUs);
}

export function bucketOfHit({ limit }: Hit) {
  return bucketOf(limit.requestsPerUnit, limit.windowSeconds * 1_000_000, limit.capacity);
}

export function windowOfHit({ limit, windowSeconds, windowEndUs }: Hit) {
  return { requestsPerUnit: limit.requestsPerUnit, windowSeconds, windowEndUs };
}
