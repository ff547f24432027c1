import { MAX_HITS } from '../request.ts';

/**
 * The arithmetic of a fixed window: one counter per window, and nothing that remembers the window before.
 *
 * Its twin for Redis is `store/redis/lua/fixed-window.lua`; a law holds both against each other.
 */

/**
 * The counter after a charge, 0 to MAX_HITS. `used` is what was stored, 0 when nothing was; a negative number is another
 * program's poison and reads as 0. A positive cost saturates, 0 looks, a negative cost gives back and stops at zero.
 */
export function usedAfter(used: number, cost: number): number {
  const before = used > 0 ? Math.min(used, MAX_HITS) : 0;
  if (cost > 0) return before > MAX_HITS - cost ? MAX_HITS : before + cost;
  return Math.max(0, before + cost);
}

/** A counter is over its limit when it stands above it: the hit that reaches the limit is the last good one. */
export function isOver(used: number, requestsPerUnit: number): boolean {
  return used > requestsPerUnit;
}
