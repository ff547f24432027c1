import type { Hit, Reading } from './decision.ts';

/**
 * Whether a request is refused: `overs` says of each hit whether it went over, or would. A quota with several limits is
 * spent when one of them is over; its hits stand beside each other.
 */
export function isDenied(hits: readonly Hit[], overs: readonly boolean[]): boolean {
  let quotas = 0;
  let spent = 0;
  let quota = -1;
  let isSpent = false;
  for (let i = 0; i < hits.length; i++) {
    const { refuses, of } = hits[i] as Hit;
    if (refuses === 'never') continue;
    const over = overs[i] === true;
    if (refuses === 'alone') {
      if (over) return true;
      continue;
    }
    if (of !== quota) {
      quotas++;
      quota = of;
      isSpent = false;
    }
    if (over && !isSpent) {
      spent++;
      isSpent = true;
    }
  }
  return quotas > 0 && quotas === spent;
}

/** The reading of a hit that was only looked at. */
export function uncharged(hit: Hit, used: number, wouldGoOver: boolean, by: 'redis' | 'memory'): Reading {
  return { kind: 'counted', used, charged: false, over: wouldGoOver || used > hit.limit.capacity, by };
}

/** Over its limit, or refused without a charge because it would have been. */
export function tellsOver(reading: Reading, hit: Hit): boolean {
  if (reading.kind === 'assumed') return reading.outcome === 'over_limit';
  return reading.charged ? reading.used > hit.limit.capacity : reading.over;
}
