import type { Micros } from '../request.ts';

/**
 * Two windows make one that slides: the counter of the current window, and as much of the previous one's as the window
 * behind us still overlaps. Two counters per limit, whatever the traffic.
 *
 *     estimate = used + ceil(before * (1 - elapsed part of the current window))
 *
 * A hit is admitted when the estimate and its cost are within the limit L; a refused hit takes nothing.
 *
 * How exact it is: no aligned window of length W admits more than L, and no span of length d <= W more than L(1 + d/W).
 * For let the span begin in a window that ends up at p <= L, and end y <= d into the next one. What it admits there is at
 * most L - p(1 - y/W), as its last hit saw p weighed at least so much; with the p before that makes L + py/W. It takes a
 * burst at a window's end and whoever follows the decay closely to get there; across the edge itself (d near 0) it is L.
 *
 * Its twin for Redis is `store/redis/lua/sliding-window.lua`; a law holds both against each other.
 */

/** A window is a million ticks, each of as many microseconds as the window has seconds: every product stays exact. */
export const TICKS = 1_000_000;

/** The numbers of a limit, and the window that is counted in. */
export interface SlidingWindow {
  /** At most 2^32-1. */
  readonly requestsPerUnit: number;
  readonly windowSeconds: number;
  readonly windowEndUs: Micros;
}

/** The counters of the current window and the one before, 0 to 2^32. */
export interface SlidingCounters {
  readonly used: number;
  readonly before: number;
}

/** What became of a hit. */
export interface SlidingOutcome {
  /** It was refused; or it gave back or only looked, and the estimate stands above the limit. */
  readonly over: boolean;
  readonly counters: SlidingCounters;
  /** The estimate afterwards. */
  readonly used: number;
  /** When over: until this cost would be admitted, to the microsecond, if nobody else came. Else until the window ends. */
  readonly resetAfterUs: Micros;
}

/** Charges a hit. A cost of 0 looks; a negative one gives back what the current window has, no more. */
export function slidingWindow(
  { used, before }: SlidingCounters,
  cost: number,
  window: SlidingWindow,
  nowUs: Micros,
): SlidingOutcome {
  const elapsed = elapsedTicks(window, nowUs);
  const over = goesOver(used, before, cost, window.requestsPerUnit, elapsed);
  const counters = { used: over && cost > 0 ? used : Math.max(0, used + cost), before };
  return {
    over,
    counters,
    used: estimate(counters.used, before, elapsed),
    resetAfterUs: slidingResetUs(counters, cost, over, window, nowUs),
  };
}

/** Of the current window; a clock outside of it is at its nearer end. */
export function elapsedTicks({ windowSeconds, windowEndUs }: SlidingWindow, nowUs: Micros): number {
  const startUs = windowEndUs - windowSeconds * TICKS;
  return Math.max(0, Math.min(TICKS, Math.floor((nowUs - startUs) / windowSeconds)));
}

/** How much of the limit is taken. */
export function estimate(used: number, before: number, elapsed: number): number {
  return used + Math.ceil((before * (TICKS - elapsed)) / TICKS);
}

/** Whether a hit of this cost is refused; or, of one that takes nothing, whether the limit was lowered below the rest. */
export function goesOver(used: number, before: number, cost: number, limit: number, elapsed: number): boolean {
  if (cost > 0) return estimate(used, before, elapsed) + cost > limit;
  return estimate(Math.max(0, used + cost), before, elapsed) > limit;
}

/** `resetAfterUs` of an outcome, from the counters as it left them. */
export function slidingResetUs(
  { used, before }: SlidingCounters,
  cost: number,
  over: boolean,
  { requestsPerUnit, windowSeconds, windowEndUs }: SlidingWindow,
  nowUs: Micros,
): Micros {
  const untilEndUs = windowEndUs - nowUs;
  if (!over) return untilEndUs;
  const room = requestsPerUnit - Math.max(0, cost);
  const here = firstTick(before, room - used);
  if (here < TICKS) return untilEndUs - (TICKS - here) * windowSeconds;
  // In the next window what was used now decays; and when all of it is gone, what never fits is told so.
  return untilEndUs + firstTick(used, room) * windowSeconds;
}

/** The first tick at which a counter has decayed to `room`; all ticks when it has to be gone, or never is enough. */
function firstTick(counter: number, room: number): number {
  if (room < 0) return TICKS;
  return counter <= room ? 0 : TICKS - Math.floor((room * TICKS) / counter);
}
