import { type CalendarWindow, calendarWindow, isCalendarUnit } from './calendar.ts';
import type { Hit, Limited, Match, Refuses } from './decision.ts';
import { isBucket, type Limit } from './limit.ts';
import { type CheckRequest, costOf, type Descriptor, type Micros } from './request.ts';
import type { Rule } from './ruleset.ts';

export interface PlanOptions {
  readonly keyPrefix: string;
  /** QUOTA_MODE: every descriptor counts as a quota, an unmatched one as a quota that passed. */
  readonly quotaMode: boolean;
}

/**
 * What to charge: one hit for each limit of each limited match, in order.
 *
 * The key of a limit that the Go service knows is `<prefix><domain>_`, `<key>_<value>_` per entry, then the window's
 * start in seconds: byte for byte that service's, so that both can count in one Redis. Any other is the prefix, the
 * identity of domain and entries, the algorithm with its window, and the start where there are windows.
 */
export function plan(
  request: CheckRequest,
  matches: readonly Match[],
  nowUs: Micros,
  { keyPrefix, quotaMode }: PlanOptions,
): readonly Hit[] {
  const hits: Hit[] = new Array(matches.reduce(addLimits, 0));
  let next = 0;
  const quotas: Refuses = someQuotaPasses(matches, quotaMode) ? 'never' : 'together';
  for (let of = 0; of < matches.length; of++) {
    const found = matches[of] as Match;
    if (found.kind !== 'limited') continue;
    const cost = costOf(request, request.descriptors[of] as Descriptor);
    const refuses = isQuota(found.rule, quotaMode) ? quotas : 'alone';
    const onStoreFailure = found.rule?.onStoreFailure ?? null;
    for (const limit of found.limits) {
      const { startUs, endUs } = windowOf(limit, nowUs);
      const stem = stemOf(found, limit, request.domain, keyPrefix);
      const windowSeconds = (endUs - startUs) / 1_000_000;
      const shadow = limit.shadowMode;
      hits[next++] = {
        of,
        key: isBucket(limit.algorithm) ? stem : stem + startUs / 1_000_000,
        previousKey: limit.algorithm === 'sliding_window' ? stem + (startUs / 1_000_000 - windowSeconds) : '',
        limit,
        cost,
        windowSeconds,
        windowEndUs: endUs,
        shadow,
        refuses: shadow ? 'never' : refuses,
        onStoreFailure,
      };
    }
  }
  return hits;
}

function addLimits(sum: number, found: Match): number {
  return found.kind === 'limited' ? sum + found.limits.length : sum;
}

/** The key without the start of the window. */
function stemOf({ counter, identity }: Limited, limit: Limit, domain: string, keyPrefix: string): string {
  return counter !== null ? `${keyPrefix}${domain}_${counter}` : `${keyPrefix}${identity}${limit.keyTail}`;
}

/** The window that `nowUs` is in, in whole seconds. */
function windowOf({ windowSeconds, timeZone, unit }: Limit, nowUs: Micros): CalendarWindow {
  if (timeZone !== null && isCalendarUnit(unit)) return calendarWindow(unit, timeZone, nowUs);
  const nowSeconds = Math.floor(nowUs / 1_000_000);
  const start = nowSeconds - (nowSeconds % windowSeconds);
  return { startUs: start * 1_000_000, endUs: (start + windowSeconds) * 1_000_000 };
}

function isQuota(rule: Rule | null, quotaMode: boolean): boolean {
  return quotaMode || rule?.quotaMode === true;
}

/** Quotas refuse only when all of them are over; a shadow rule among them never is, nor one that met no limit. */
function someQuotaPasses(matches: readonly Match[], quotaMode: boolean): boolean {
  for (const found of matches) {
    if (found.kind === 'limited') {
      if (isQuota(found.rule, quotaMode) && found.limits.every(({ shadowMode }) => shadowMode)) return true;
    } else if (quotaMode && found.kind !== 'unlimited') return true;
  }
  return false;
}
