/** Decisions made by hand: what an observer sees, without rules files and stores. */
import type { Decision, Hit, LimitVerdict, Match, Reading, Verdict } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import type { LoadReport } from '../../src/core/ports.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Domain, Rule, Ruleset } from '../../src/core/ruleset.ts';
import { TEN_A_MINUTE } from '../support/rule.ts';

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
    of: 0,
    key: 'secret-counter-key',
    previousKey: '',
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
  return chargedAll(by, [[its, reading]]);
}

/** The same of several limits; the first one binds. */
export function chargedAll(by: Rule | string, all: readonly (readonly [its: Hit, reading: Reading])[]): Verdict {
  const [from, metric] = typeof by === 'string' ? [null, by] : [by, by.path];
  const limits = all.map(([its, reading]): LimitVerdict => {
    return { hit: its, reading, over: tellsOver(reading, its), remaining: 0, resetAfterUs: 0 };
  });
  return {
    descriptor: DESCRIPTOR,
    match: {
      kind: 'limited',
      limits: all.map(([its]) => its.limit),
      rule: from,
      counter: 'k_v_',
      identity: null,
      metric,
    },
    outcome: 'ok',
    limits,
    binding: limits[0] ?? null,
    remaining: 0,
    resetAfterUs: 0,
  };
}

export function free(match: Match): Verdict {
  return { descriptor: DESCRIPTOR, match, outcome: 'ok', limits: [], binding: null, remaining: 0, resetAfterUs: 0 };
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
