import type { Decision, Reading, Verdict } from '../../core/decision.ts';

/** Of a request with more descriptors, the rest is told as a number. */
export const MOST_REASONS = 32;

/** What a span tells of a decision. Rules are named as in the rules files; no value that a caller sent is in it. */
export function decisionAttributes({ outcome, shadowed, verdicts }: Decision) {
  const reasons = verdicts.slice(0, MOST_REASONS).map(reasonOf);
  if (verdicts.length > MOST_REASONS) reasons.push(`and ${verdicts.length - MOST_REASONS} more`);
  return { decision: outcome, reasons, shadowed };
}

/** `edge.path_/login: over_limit, 6 of 5 per minute`. */
function reasonOf({ match, outcome, over, reading }: Verdict): string {
  if (match.kind === 'none') return match.because;
  if (match.kind !== 'limited') return `${match.rule.path}: ${match.kind}`;
  const { requestsPerUnit, unit } = match.limit;
  const limit = `${requestsPerUnit} per ${unit}`;
  const count = reading?.kind === 'counted' ? `${reading.used} of ${limit}` : limit;
  const shadow = over && outcome === 'ok' ? ', shadow' : '';
  return `${match.rule?.path ?? 'override'}: ${outcome}, ${count}${shadow}${because(reading)}`;
}

function because(reading: Reading | null): string {
  if (reading?.kind === 'assumed') return `, ${reading.because}`;
  return reading?.kind === 'counted' && !reading.charged ? ', not charged' : '';
}
