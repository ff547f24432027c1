/** Decisions made by hand: only what an encoder or a transport reads is meant. */
import type { Decision, LimitVerdict, Match, Outcome, Verdict } from '../../src/core/decision.ts';
import type { Limit } from '../../src/core/limit.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Rule } from '../../src/core/ruleset.ts';
import { rule } from '../support/rule.ts';
import { counted, free, hit } from '../telemetry/decisions.ts';

const DESCRIPTOR = { entries: [{ key: 'k', value: 'v' }], limit: null, hits: null, refund: false };

/** With `by` null the limit came with the request. */
export function limited(limit: Limit, by: Rule | null = rule('d.k', { limits: [limit] })): Match {
  return { kind: 'limited', limits: [limit], rule: by, counter: 'k_v_', identity: null, metric: 'd.k' };
}

export function verdict(match: Match, part: Partial<Verdict> = {}): Verdict {
  const limits = (match.kind === 'limited' ? match.limits : []).map((limit): LimitVerdict => {
    return { hit: hit(1, { limit }), reading: counted(1), over: false, remaining: 0, resetAfterUs: 0 };
  });
  return { ...free(match), descriptor: DESCRIPTOR, limits, binding: limits[0] ?? null, ...part };
}

export function decision(outcome: Outcome, verdicts: readonly Verdict[], request?: CheckRequest): Decision {
  return {
    request: request ?? { domain: 'd', descriptors: verdicts.map((v) => v.descriptor), hits: 0 },
    ruleset: { generation: 1, domains: new Map(), rules: [] },
    nowUs: 0,
    outcome,
    shadowed: false,
    verdicts,
    binding: null,
  };
}
