import type { Decision, Hit, Match, Reading, Verdict } from '../../src/core/decision.ts';
import type { LoadReport } from '../../src/core/ports.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Domain, Limit, Rule, Ruleset } from '../../src/core/ruleset.ts';

/** Decisions made by hand: what an observer sees, without rules files and stores. */
export const TEN_A_MINUTE: Limit = { requestsPerUnit: 10, unit: 'minute' };

export function rule(path: string, part: Partial<Rule> = {}): Rule {
  return {
    key: 'k',
    value: '',
    text: 'k',
    path,
    limit: TEN_A_MINUTE,
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
    at: { file: 'limits.yaml', line: 1, column: 1 },
    ...part,
  };
}

export function ruleset(domains: readonly string[], rules: readonly Rule[] = [], generation = 1): Ruleset {
  const root = { byKey: new Map(), starKeys: [] };
  const byName = domains.map((name): [string, Domain] => [name, { name, countDenied: null, root }]);
  return { generation, domains: new Map(byName), rules };
}

export function loaded(set: Ruleset, files = 1): LoadReport {
  return { ok: true, ruleset: set, files };
}

export function request(domain: string): CheckRequest {
  return { domain, descriptors: [], hits: 0 };
}

export function hit(cost = 1, part: Partial<Hit> = {}): Hit {
  return {
    key: 'secret-counter-key',
    limit: TEN_A_MINUTE,
    cost,
    windowSeconds: 60,
    windowEndUs: 0,
    shadow: false,
    refuses: 'alone',
    onStoreFailure: null,
    ...part,
  };
}

export const counted = (used: number): Reading => ({ kind: 'counted', used, charged: true, by: 'memory' });
export const CACHED: Reading = { kind: 'assumed', outcome: 'over_limit', because: 'over_limit_cache' };

const DESCRIPTOR = { entries: [], limit: null, hits: null, refund: false };

/** A limited verdict; `by` is the rule, or the metric key of an override. */
export function charged(by: Rule | string, reading: Reading, its: Hit = hit()): Verdict {
  const [from, metric] = typeof by === 'string' ? [null, by] : [by, by.path];
  return {
    descriptor: DESCRIPTOR,
    match: { kind: 'limited', limit: its.limit, rule: from, counter: 'k_v_', metric },
    outcome: 'ok',
    over: false,
    hit: its,
    reading,
    remaining: 0,
    resetAfterUs: 0,
  };
}

export function free(match: Match): Verdict {
  return {
    descriptor: DESCRIPTOR,
    match,
    outcome: 'ok',
    over: false,
    hit: null,
    reading: null,
    remaining: 0,
    resetAfterUs: 0,
  };
}

export const UNKNOWN_DOMAIN = free({ kind: 'none', because: 'unknown_domain' });

export function decision(
  domain: string,
  set: Ruleset,
  verdicts: readonly Verdict[],
  part: Partial<Decision> = {},
): Decision {
  return {
    request: request(domain),
    ruleset: set,
    nowUs: 0,
    outcome: 'ok',
    shadowed: false,
    verdicts,
    binding: null,
    ...part,
  };
}
