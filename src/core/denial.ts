import type { Hit, Reading } from './decision.ts';

/** Whether a request is refused: `overs` says of each hit whether it went over, or would. */
export function isDenied(hits: readonly Hit[], overs: readonly boolean[]): boolean {
  let together = 0;
  let spent = 0;
  for (let i = 0; i < hits.length; i++) {
    const { refuses } = hits[i] as Hit;
    if (refuses === 'never') continue;
    if (refuses === 'together') together++;
    if (overs[i] !== true) continue;
    if (refuses === 'alone') return true;
    spent++;
  }
  return together > 0 && together === spent;
}

/** The reading of a hit that was only looked at. */
export function uncharged(hit: Hit, used: number, wouldGoOver: boolean, by: 'redis' | 'memory'): Reading {
  return { kind: 'counted', used, charged: false, over: wouldGoOver || used > hit.limit.requestsPerUnit, by };
}

/** Over its limit, or refused without a charge because it would have been. */
export function tellsOver(reading: Reading, hit: Hit): boolean {
  if (reading.kind === 'assumed') return reading.outcome === 'over_limit';
  return reading.charged ? reading.used > hit.limit.requestsPerUnit : reading.over;
}
