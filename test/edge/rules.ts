import type { Rules } from '../support/service.ts';

const hour = (requests: number, more: object = {}) => ({ unit: 'hour', requests_per_unit: requests, ...more });

/** What the random requests meet: every kind of rule, but quotas and shadows, so that over is over. */
export const RULES: Rules = {
  'fuzz.yaml': {
    domain: 'fuzz',
    descriptors: [
      { key: 'user', rate_limit: hour(50), descriptors: [{ key: 'path', rate_limit: hour(20) }] },
      { key: 'user', value: 'u1', rate_limit: hour(5), detailed_metric: true },
      { key: 'path', value: 'a*', rate_limit: hour(100), share_threshold: true },
      { key: 'plan', value_to_metric: true, descriptors: [{ key: 'x', rate_limit: hour(10) }] },
      { key: 'x', rate_limit: { unlimited: true } },
      { key: 'a_b', rate_limit: hour(0) },
    ],
  },
  'zero.yaml': { domain: '10.1.2.3', descriptors: [{ key: 'user', rate_limit: hour(3) }] },
};

/** Domains of the rules, and one of none. */
export const DOMAINS = ['fuzz', '10.1.2.3', 'nobody'] as const;
