import type { CheckRequest, Override } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { compile } from '../../src/rules/compile.ts';

/** A limit whose cost is held against that of a plain fixed window. */
export interface Kind {
  /** Also the key of the descriptor. */
  readonly name: string;
  /** What its rule says beside the key; null when there is no rule, and the limit comes with the request. */
  readonly rule: string | null;
  readonly limit: Override | null;
}

/** So much that every call is admitted: one that is refused writes nothing, and is cheaper in Redis. */
const MANY = 'requests_per_unit: 4000000000';
const DAYS = 'requests_per_unit: 50000';

/** The first is what the others are held against. */
export const KINDS: readonly Kind[] = [
  ruled('fixed_window', `rate_limit: { unit: hour, ${MANY} }`),
  ruled('sliding_window', `rate_limit: { unit: hour, ${MANY}, algorithm: sliding_window }`),
  ruled('token_bucket', `rate_limit: { unit: second, ${DAYS}, algorithm: token_bucket, burst: 2000000000 }`),
  ruled('leaky_bucket', `rate_limit: { unit: second, ${DAYS}, algorithm: leaky_bucket, burst: 2000000000 }`),
  ruled('unit_multiplier', `rate_limit: { unit: minute, unit_multiplier: 5, ${MANY} }`),
  ruled('calendar', `rate_limit: { unit: month, ${MANY}, calendar: true, time_zone: Europe/Berlin }`),
  ruled('rate_limits', `rate_limits: [{ unit: hour, ${MANY} }, { unit: month, ${MANY} }]`),
  ruled(
    'rate_limits_mixed',
    `rate_limits: [{ unit: hour, ${MANY}, algorithm: token_bucket, burst: 2000000000 }, { unit: month, ${MANY}, calendar: true }]`,
  ),
  { name: 'override', rule: null, limit: { requestsPerUnit: 4_000_000_000, unit: 3 } },
];

export const DOMAIN = 'bench';

/** A rules file with a rule for every kind that has one. */
export function rulesOfKinds(): string {
  const rules = KINDS.filter(({ rule }) => rule !== null).map(({ name, rule }) => `  - key: ${name}\n    ${rule}\n`);
  return `domain: ${DOMAIN}\ndescriptors:\n${rules.join('')}`;
}

/** Throws on problems. */
export function compiled(text: string): Ruleset {
  const result = compile([{ name: 'bench.yaml', text }], { mergeDomains: false, generation: 1 });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.ruleset;
}

export function requestOf({ name, limit }: Kind, user: string, hits = 0): CheckRequest {
  const descriptor = { entries: [{ key: name, value: user }], limit, hits: null, refund: false };
  return { domain: DOMAIN, hits, descriptors: [descriptor] };
}

function ruled(name: string, rule: string): Kind {
  return { name, rule, limit: null };
}
