import { limit } from '../../src/core/limit.ts';
import type { Rule } from '../../src/core/ruleset.ts';

export const TEN_A_MINUTE = limit({ requestsPerUnit: 10, unit: 'minute' });

/** A rule made by hand, of 10 a minute when not said otherwise. */
export function rule(path = 'd.k', part: Partial<Rule> = {}): Rule {
  return {
    key: 'k',
    value: '',
    text: 'k',
    path,
    limits: [TEN_A_MINUTE],
    unlimited: false,
    replaces: [],
    shadowMode: false,
    quotaMode: false,
    detailedMetric: false,
    valueToMetric: false,
    shareThreshold: false,
    hashValue: false,
    metricVaries: false,
    metadata: null,
    onStoreFailure: null,
    children: null,
    at: { file: 'limits.yaml', line: 1, column: 1 },
    ...part,
  };
}
