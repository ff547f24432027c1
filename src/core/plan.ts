import type { Hit, Match, Refuses } from './decision.ts';
import { type CheckRequest, costOf, type Micros } from './request.ts';
import type { Rule } from './ruleset.ts';
import { UNIT_SECONDS } from './unit.ts';

/**
 * What to charge: one hit for each limited match, in order.
 *
 * The key is `<prefix><domain>_` then `<key>_<value>_` per entry, then the window's start in seconds: byte for byte the
 * Go service's, so that both can count in one Redis. With `quotaMode` every descriptor is a quota, and one without a
 * limit is a quota that always passes.
 */
export function plan(
  request: CheckRequest,
  matches: readonly Match[],
  nowUs: Micros,
  keyPrefix: string,
  quotaMode = false,
): readonly Hit[] {
  const hits: Hit[] = [];
  const quotas: Refuses = someQuotaPasses(matches, quotaMode) ? 'never' : 'together';
  const nowSeconds = Math.floor(nowUs / 1_000_000);
  for (const [i, found] of matches.entries()) {
    const descriptor = request.descriptors[i];
    if (found.kind !== 'limited' || descriptor === undefined) continue;
    const windowSeconds = UNIT_SECONDS[found.limit.unit];
    const start = nowSeconds - (nowSeconds % windowSeconds);
    const shadow = found.rule?.shadowMode ?? false;
    hits.push({
      key: `${keyPrefix}${request.domain}_${found.counter}${start}`,
      limit: found.limit,
      cost: costOf(request, descriptor),
      windowSeconds,
      windowEndUs: (start + windowSeconds) * 1_000_000,
      shadow,
      refuses: shadow ? 'never' : isQuota(found.rule, quotaMode) ? quotas : 'alone',
      onStoreFailure: found.rule?.onStoreFailure ?? null,
    });
  }
  return hits;
}

function isQuota(rule: Rule | null, quotaMode: boolean): boolean {
  return quotaMode || rule?.quotaMode === true;
}

/** Quotas refuse only when all of them are over; a shadow rule among them never is, nor one that met no limit. */
function someQuotaPasses(matches: readonly Match[], quotaMode: boolean): boolean {
  for (const found of matches) {
    if (found.kind === 'limited') {
      if (found.rule?.shadowMode && isQuota(found.rule, quotaMode)) return true;
    } else if (quotaMode && found.kind !== 'unlimited') return true;
  }
  return false;
}
