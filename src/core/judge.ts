import type { Decision, Hit, Match, Outcome, Reading, Verdict } from './decision.ts';
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

/** Readings stand in the order of the limited matches, as `plan` made the hits. */
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
  const verdicts: Verdict[] = [];
  const overs = readings.map((reading, i) => tellsOver(reading, hits[i] as Hit));
  let next = 0;
  for (const [i, found] of matches.entries()) {
    const descriptor = request.descriptors[i] as Descriptor;
    if (found.kind === 'limited') {
      verdicts.push(
        limited(descriptor, found, hits[next] as Hit, readings[next] as Reading, overs[next] === true, nowUs),
      );
      next++;
    } else {
      verdicts.push(free(descriptor, found));
    }
  }
  const over = isDenied(hits, overs);
  const shadowed = over && options.shadowMode;
  const outcome: Outcome = over && !shadowed ? 'over_limit' : 'ok';
  const binding = over ? lastToReset(verdicts) : closest(verdicts);
  return { request, ruleset, nowUs, outcome, shadowed, verdicts, binding };
}

function free(descriptor: Descriptor, found: Match): Verdict {
  const remaining = found.kind === 'unlimited' ? MOST_REMAINING : 0;
  return {
    descriptor,
    match: found,
    outcome: 'ok',
    over: false,
    hit: null,
    reading: null,
    remaining,
    resetAfterUs: 0,
  };
}

function limited(
  descriptor: Descriptor,
  found: Match,
  hit: Hit,
  reading: Reading,
  over: boolean,
  nowUs: Micros,
): Verdict {
  const left = reading.kind === 'assumed' ? (reading.remaining ?? 0) : hit.limit.requestsPerUnit - reading.used;
  const remaining = over ? 0 : left;
  return {
    descriptor,
    match: found,
    outcome: over && !hit.shadow ? 'over_limit' : 'ok',
    over,
    hit,
    reading,
    remaining,
    resetAfterUs:
      over && isUncounted(reading) ? Math.min(ASK_AGAIN_US, hit.windowEndUs - nowUs) : hit.windowEndUs - nowUs,
  };
}

function isUncounted(reading: Reading): boolean {
  return reading.kind === 'assumed' && reading.because !== 'over_limit_cache';
}

/**
 * The verdict whose reset is the first moment at which the request may pass: of those that refuse alone the one that
 * keeps refusing longest; of quotas, which refuse together, the one that opens first; of both the later. The first on a
 * tie.
 */
function lastToReset(verdicts: readonly Verdict[]): Verdict | null {
  let alone: Verdict | null = null;
  let quota: Verdict | null = null;
  let quotaLeft = false;
  for (const verdict of verdicts) {
    const refuses = verdict.hit?.refuses;
    if (refuses === 'together' && !verdict.over) quotaLeft = true;
    if (!verdict.over) continue;
    if (refuses === 'alone' && verdict.resetAfterUs > (alone?.resetAfterUs ?? -1)) alone = verdict;
    if (refuses === 'together' && verdict.resetAfterUs < (quota?.resetAfterUs ?? Number.POSITIVE_INFINITY))
      quota = verdict;
  }
  if (quotaLeft || quota === null) return alone;
  return alone === null || quota.resetAfterUs > alone.resetAfterUs ? quota : alone;
}

/** Of those that could refuse next, the one with the fewest left; the first on a tie. */
function closest(verdicts: readonly Verdict[]): Verdict | null {
  let least: Verdict | null = null;
  for (const verdict of verdicts) {
    if (verdict.hit === null || verdict.hit.shadow || verdict.over) continue;
    if (verdict.remaining < (least?.remaining ?? MOST_REMAINING)) least = verdict;
  }
  return least;
}
