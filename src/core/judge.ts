import type { Decision, Hit, LimitVerdict, Match, Outcome, Reading, Verdict } from './decision.ts';
import { isDenied, tellsOver } from './denial.ts';
import type { CheckRequest, Descriptor, Micros } from './request.ts';
import type { Ruleset } from './ruleset.ts';

/** `limit_remaining` is 32 bits wide; an unlimited rule tells all of them. */
const MOST_REMAINING = 0xffff_ffff;

/** A refusal that nobody counted ends when the store is back, so a caller is not sent away for a whole window. */
const ASK_AGAIN_US = 1_000_000;

export interface JudgeOptions {
  /** SHADOW_MODE: the statuses tell the truth, the whole is ok. */
  readonly shadowMode: boolean;
}

/** Readings stand in the order of the hits, as `plan` made them. */
export function judge(
  request: CheckRequest,
  ruleset: Ruleset,
  matches: readonly Match[],
  hits: readonly Hit[],
  readings: readonly Reading[],
  nowUs: Micros,
  options: JudgeOptions,
): Decision {
  if (readings.length !== hits.length) throw new Error(`${readings.length} readings for ${hits.length} hits`);
  const overs: boolean[] = new Array(hits.length);
  const limits: LimitVerdict[] = new Array(hits.length);
  for (let i = 0; i < hits.length; i++) {
    const hit = hits[i] as Hit;
    const reading = readings[i] as Reading;
    const over = tellsOver(reading, hit);
    overs[i] = over;
    limits[i] = limitVerdict(hit, reading, over, nowUs);
  }
  const verdicts: Verdict[] = new Array(matches.length);
  let next = 0;
  for (let of = 0; of < matches.length; of++) {
    const first = next;
    while (hits[next]?.of === of) next++;
    verdicts[of] = verdict(request.descriptors[of] as Descriptor, matches[of] as Match, limits.slice(first, next));
  }
  const over = isDenied(hits, overs);
  const shadowed = over && options.shadowMode;
  const outcome: Outcome = over && !shadowed ? 'over_limit' : 'ok';
  const binding = over ? lastToReset(limits) : closest(limits);
  return { request, ruleset, nowUs, outcome, shadowed, verdicts, binding };
}

function limitVerdict(hit: Hit, reading: Reading, over: boolean, nowUs: Micros): LimitVerdict {
  const left = reading.kind === 'assumed' ? (reading.remaining ?? 0) : hit.limit.capacity - reading.used;
  const resetAfterUs = reading.resetAfterUs ?? hit.windowEndUs - nowUs;
  return {
    hit,
    reading,
    over,
    remaining: over ? 0 : Math.max(0, left),
    resetAfterUs: over && isUncounted(reading) ? Math.min(ASK_AGAIN_US, resetAfterUs) : resetAfterUs,
  };
}

function verdict(descriptor: Descriptor, match: Match, limits: readonly LimitVerdict[]): Verdict {
  const binding = limits.length === 1 ? (limits[0] as LimitVerdict) : bindingOf(limits);
  if (binding === null) {
    const remaining = match.kind === 'unlimited' ? MOST_REMAINING : 0;
    return { descriptor, match, outcome: 'ok', limits, binding, remaining, resetAfterUs: 0 };
  }
  const { hit, over, remaining, resetAfterUs } = binding;
  return {
    descriptor,
    match,
    outcome: over && !hit.shadow ? 'over_limit' : 'ok',
    limits,
    binding,
    remaining,
    resetAfterUs,
  };
}

/** Of the limits of one descriptor: shadow ones only when there are no others, over before admitted. */
function bindingOf(limits: readonly LimitVerdict[]): LimitVerdict | null {
  const enforced = limits.filter(({ hit }) => !hit.shadow);
  return longestOver(enforced) ?? closest(enforced) ?? enforced[0] ?? longestOver(limits) ?? limits[0] ?? null;
}

function isUncounted(reading: Reading): boolean {
  return reading.kind === 'assumed' && reading.because !== 'over_limit_cache';
}

/**
 * The limit whose reset is the first moment at which the request may pass: of those that refuse alone the one that keeps
 * refusing longest; of quotas, which refuse together, the one that opens first; of both the later. The first on a tie.
 */
function lastToReset(limits: readonly LimitVerdict[]): LimitVerdict | null {
  const alone = longestOver(limits.filter(({ hit }) => hit.refuses === 'alone'));
  const quota = firstToOpen(limits.filter(({ hit }) => hit.refuses === 'together'));
  if (quota === null) return alone;
  return alone === null || quota.resetAfterUs > alone.resetAfterUs ? quota : alone;
}

/** null when one of the quotas is not spent. A quota with several limits opens with the last of them. */
function firstToOpen(limits: readonly LimitVerdict[]): LimitVerdict | null {
  let first: LimitVerdict | null = null;
  for (const of of new Set(limits.map(({ hit }) => hit.of))) {
    const last = longestOver(limits.filter(({ hit }) => hit.of === of));
    if (last === null) return null;
    if (first === null || last.resetAfterUs < first.resetAfterUs) first = last;
  }
  return first;
}

function longestOver(limits: readonly LimitVerdict[]): LimitVerdict | null {
  let longest: LimitVerdict | null = null;
  for (const each of limits) {
    if (each.over && each.resetAfterUs > (longest?.resetAfterUs ?? -1)) longest = each;
  }
  return longest;
}

/** Of those that could refuse next, the one with the fewest left; the first on a tie. */
function closest(limits: readonly LimitVerdict[]): LimitVerdict | null {
  let least: LimitVerdict | null = null;
  for (const each of limits) {
    if (each.hit.shadow || each.over) continue;
    if (each.remaining < (least?.remaining ?? MOST_REMAINING)) least = each;
  }
  return least;
}
