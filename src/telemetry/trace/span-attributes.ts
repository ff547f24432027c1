import type { Decision, LimitVerdict, Reading, Verdict } from '../../core/decision.ts';

/** Of a request with more descriptors, the rest is told as a number. */
export const MOST_REASONS = 32;

/** What a span tells of a decision. Rules are named as in the rules files; no value that a caller sent is in it. */
export function decisionAttributes({ outcome, shadowed, verdicts }: Decision) {
  const reasons = verdicts.slice(0, MOST_REASONS).map(reasonOf);
  if (verdicts.length > MOST_REASONS) reasons.push(`and ${verdicts.length - MOST_REASONS} more`);
  return { decision: outcome, reasons, shadowed };
}

/** `edge.path_/login: over_limit, 6 of 5 per minute`; of several limits each, with ` and ` between. */
function reasonOf({ match, limits }: Verdict): string {
  if (match.kind === 'none') return match.because;
  if (match.kind !== 'limited') return `${match.rule.path}: ${match.kind}`;
  const place = match.rule?.path ?? 'override';
  return limits.map((each) => `${place}${each.hit.limit.series}: ${limitReason(each)}`).join(' and ');
}

function limitReason({ hit, reading, over }: LimitVerdict): string {
  const { unit, multiplier, capacity } = hit.limit;
  const limit = `${capacity} per ${multiplier === 1 ? unit : `${multiplier} ${unit}s`}`;
  const count = reading.kind === 'counted' ? `${reading.used} of ${limit}` : limit;
  const outcome = over && !hit.shadow ? 'over_limit' : 'ok';
  return `${outcome}, ${count}${over && hit.shadow ? ', shadow' : ''}${because(reading)}`;
}

function because(reading: Reading): string {
  if (reading.kind === 'assumed') return `, ${reading.because}`;
  return reading.charged ? '' : ', not charged';
}
