import type { Decision, Match, Outcome, Verdict } from '../../src/core/decision.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Limit, Rule } from '../../src/core/ruleset.ts';

/** Decisions made by hand: only what an encoder or a transport reads is meant. */
export function rule(part: Partial<Rule> = {}): Rule {
  return {
    key: 'k',
    value: '',
    text: 'k',
    path: 'd.k',
    limit: null,
    unlimited: false,
    name: '',
    replaces: [],
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    valueToMetric: false,
    shareThreshold: false,
    metricVaries: false,
    metadata: null,
    onStoreFailure: null,
    children: null,
    at: { file: 'rules.yaml', line: 1, column: 1 },
    ...part,
  };
}

const DESCRIPTOR = { entries: [{ key: 'k', value: 'v' }], limit: null, hits: null, refund: false };

export function limited(limit: Limit, by: Rule | null = rule({ limit })): Match {
  return { kind: 'limited', limit, rule: by, counter: 'k_v_', metric: 'd.k' };
}

export function verdict(match: Match, part: Partial<Verdict> = {}): Verdict {
  return {
    descriptor: DESCRIPTOR,
    match,
    outcome: 'ok',
    over: false,
    hit: null,
    reading: null,
    remaining: 0,
    resetAfterUs: 0,
    ...part,
  };
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
