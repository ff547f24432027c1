import type { Hit } from '../decision.ts';
import { isDenied } from '../denial.ts';
import type { Charge } from '../ports.ts';
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

/** How the hits of one request hang together. */
export type Together = Exclude<Charge, 'always'>;

/** Which hits of a request would go over, whose counters stand at `before`. */
export function oversOf(hits: readonly Hit[], before: readonly number[], charge: Together): readonly boolean[] {
  return charge === 'stop_when_over' ? oversAlone(hits, before) : oversInTurn(hits, before);
}

/** What becomes of a hit of a refused request: charged all the same, or only looked at (but a refund is given back). */
export type Fate = 'charged' | 'looked_at' | 'would_go_over';

/** The fates of the hits of one request; null: it is not refused, all are charged. */
export function fatesOf(hits: readonly Hit[], overs: readonly boolean[], charge: Together): readonly Fate[] | null {
  if (!isDenied(hits, overs)) return null;
  const whenOver = charge === 'stop_when_over' ? 'charged' : 'would_go_over';
  return overs.map((over) => (over ? whenOver : 'looked_at'));
}

/** Each hit against the counter before the request, a repeated key too. */
function oversAlone(hits: readonly Hit[], before: readonly number[]): readonly boolean[] {
  return hits.map(({ cost, limit }, i) => isOver((before[i] as number) + cost, limit.capacity));
}

/** Each hit as if those before it had been charged. */
function oversInTurn(hits: readonly Hit[], before: readonly number[]): readonly boolean[] {
  const counters = new Map<string, number>();
  return hits.map(({ key, cost, limit }, i) => {
    const after = usedAfter(counters.get(key) ?? (before[i] as number), cost);
    counters.set(key, after);
    return isOver(after, limit.capacity);
  });
}
