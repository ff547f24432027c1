import type { Hit, Match } from './decision.ts';
import { type CheckRequest, costOf, type Micros } from './request.ts';
import { UNIT_SECONDS } from './unit.ts';

/**
 * What to charge: one hit for each limited match, in order.
 *
 * The key is `<prefix><domain>_` then `<key>_<value>_` per entry, then the window's start in seconds: byte for byte the
 * Go service's, so that both can count in one Redis.
 */
export function plan(
  request: CheckRequest,
  matches: readonly Match[],
  nowUs: Micros,
  keyPrefix: string,
): readonly Hit[] {
  const hits: Hit[] = [];
  const nowSeconds = Math.floor(nowUs / 1_000_000);
  for (const [i, found] of matches.entries()) {
    const descriptor = request.descriptors[i];
    if (found.kind !== 'limited' || descriptor === undefined) continue;
    const windowSeconds = UNIT_SECONDS[found.limit.unit];
    const start = nowSeconds - (nowSeconds % windowSeconds);
    hits.push({
      key: `${keyPrefix}${request.domain}_${found.counter}${start}`,
      limit: found.limit,
      cost: costOf(request, descriptor),
      windowSeconds,
      windowEndUs: (start + windowSeconds) * 1_000_000,
      shadow: found.rule?.shadowMode ?? false,
      onStoreFailure: found.rule?.onStoreFailure ?? null,
    });
  }
  return hits;
}
