import type { Reading } from './decision.ts';

/** How many hits were over, near and within a limit. A hit may be both near and within, or neither when not charged. */
export interface Tally {
  overLimit: number;
  nearLimit: number;
  withinLimit: number;
  overLimitWithLocalCache: number;
  /** Hits over the limit of a shadow rule. */
  shadowMode: number;
}

/** Hits above this are near the limit. The Go service computes it in float32, so we do. */
export function nearLimitOf(capacity: number, ratio: number): number {
  return Math.floor(Math.fround(Math.fround(capacity) * Math.fround(ratio)));
}

/**
 * Adds one reading to `tally`; allocates nothing, as it runs for every hit.
 *
 * `cost` is what the request asked for. Of hits that were not charged only those that would have gone over are told, as
 * over. A refund (`cost < 0`) adds nothing.
 */
export function addToTally(
  tally: Tally,
  reading: Reading,
  cost: number,
  capacity: number,
  nearLimitRatio: number,
  shadow: boolean,
): void {
  if (cost < 0) return;
  const asked = metered(cost);
  if (reading.kind === 'assumed') {
    if (reading.because !== 'over_limit_cache') return;
    tally.overLimit += asked;
    tally.overLimitWithLocalCache += asked;
    if (shadow) tally.shadowMode += asked;
    return;
  }
  if (!reading.charged) {
    if (!reading.over) return;
    tally.overLimit += asked;
    if (shadow) tally.shadowMode += asked;
    return;
  }
  const limit = capacity;
  const after = reading.used;
  const before = after - cost;
  const near = nearLimitOf(limit, nearLimitRatio);
  if (after > limit) {
    const over = metered(before >= limit ? cost : after - limit);
    tally.overLimit += over;
    if (before < limit) tally.nearLimit += limit - Math.max(near, before);
    if (shadow) tally.shadowMode += over;
    return;
  }
  tally.withinLimit += cost;
  if (after > near) tally.nearLimit += before >= near ? cost : after - near;
}

/** Counters are doubles: one hit of 2^53 would freeze them, as nothing added later would show. */
export function metered(hits: number): number {
  return Math.min(hits, 0xffff_ffff);
}
