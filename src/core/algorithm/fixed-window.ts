import type { Hit } from '../decision.ts';
import { MAX_HITS } from '../request.ts';

/**
 * The arithmetic of a fixed window: one counter per window, and nothing that remembers the window before.
 *
 * Its twin for Redis is `store/redis/lua/fixed-window.lua`; a law holds both against each other. A hit that was refused
 * stays counted, as in the Go service.
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

/**
 * What `stop_when_over` makes of the costs of one request. Each hit is held against the counter as it stood before the
 * request, a repeated key too. A shadow rule never stops its siblings, but is one of them when another hit stops.
 */
export function costsWhenStopping(hits: readonly Hit[], usedBefore: readonly number[]): readonly number[] {
  const over = hits.map((hit, i) => isOver((usedBefore[i] ?? 0) + hit.cost, hit.limit.requestsPerUnit));
  const stops = hits.some((hit, i) => over[i] === true && !hit.shadow);
  return hits.map((hit, i) => (stops && over[i] !== true ? 0 : hit.cost));
}
