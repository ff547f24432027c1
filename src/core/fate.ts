import { type Counter, countsRefused, look, type Step } from './algorithm/algorithm.ts';
import type { Hit, Reading } from './decision.ts';
import { isDenied, uncharged } from './denial.ts';
import type { Charge } from './ports.ts';
import type { Micros } from './request.ts';

/** How the hits of one request hang together. */
export type Together = Exclude<Charge, 'always'>;

/**
 * What became of a hit: `charged`; `refused` for its own sake, and not charged; not charged because the request is
 * refused, and then `would_go_over` itself or only `looked_at` (but a refund is given back).
 */
export type Fate = 'charged' | 'refused' | 'looked_at' | 'would_go_over';

/** Which hits of a request would go over, whose counters stand at `before`. `take` charges one of them. */
export function oversOf<Kept>(
  hits: readonly Hit[],
  before: readonly Kept[],
  charge: Together,
  take: (hit: Hit, counter: Kept) => Step<Kept>,
): readonly boolean[] {
  // Each against the counter before the request, a repeated key too.
  if (charge === 'stop_when_over') return hits.map((hit, i) => take(hit, before[i] as Kept).over);
  // Each as if those before it had been charged.
  const counters = new Map<string, Kept>();
  return hits.map((hit, i) => {
    const { over, counter } = take(hit, counters.get(hit.key) ?? (before[i] as Kept));
    counters.set(hit.key, counter);
    return over;
  });
}

/** The fates of the hits of one request; null: it is not refused, all are charged. */
export function fatesOf(hits: readonly Hit[], overs: readonly boolean[], charge: Together): readonly Fate[] | null {
  if (!isDenied(hits, overs)) return null;
  const whenOver = charge === 'stop_when_over' ? 'charged' : 'would_go_over';
  return overs.map((over) => (over ? whenOver : 'looked_at'));
}

/** Tells a hit's fate from the counter as it was left. */
export function readingOf(hit: Hit, counter: Counter, fate: Fate, nowUs: Micros, by: 'redis' | 'memory'): Reading {
  if (countsRefused(hit)) {
    if (fate === 'charged') return { kind: 'counted', used: counter.main, charged: true, by };
    return uncharged(hit, counter.main, fate !== 'looked_at', by);
  }
  const now = look(hit, counter, 0, nowUs);
  if (fate === 'charged') {
    return { kind: 'counted', used: now.used, charged: true, by, resetAfterUs: now.resetAfterUs };
  }
  const asked = fate === 'looked_at' || hit.cost <= 0 ? now : look(hit, counter, hit.cost, nowUs);
  // A copy of the hit before it in the request may be what it would go over for; alone it fits.
  const { resetAfterUs } = asked.over ? asked : now;
  return { ...uncharged(hit, now.used, fate !== 'looked_at', by), resetAfterUs };
}
