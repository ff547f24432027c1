import fc from 'fast-check';
import type { RulesDocument } from '../../src/core/ports.ts';

const word = fc.constantFrom('a', 'b', 'cc', 'd*', 'e*f', '*', '__proto__', 'ä€😀');
const limit = fc.oneof(
  fc.record({ unit: fc.constantFrom('second', 'hour', 'week'), requests_per_unit: fc.nat(3) }),
  fc.constant({ unlimited: true, name: 'free' }),
  fc.constant({ unit: 'day', requests_per_unit: 7, name: 'own', replaces: [{ name: 'other' }, { name: 'free' }] }),
);
const metadata = fc.dictionary(
  word,
  fc.oneof(fc.boolean(), fc.constant(null), fc.array(fc.dictionary(word, fc.nat()))),
);

/** Rules with distinct `key_value`, as JSON makes them. */
const { rules } = fc.letrec<{ rules: unknown[]; rule: unknown }>((tie) => ({
  rules: fc.uniqueArray(tie('rule'), {
    maxLength: 5,
    depthIdentifier: 'rules',
    selector: (rule) => textOf(rule as { key: string; value?: string }),
  }),
  rule: fc.record(
    {
      key: word,
      value: word,
      rate_limit: limit,
      descriptors: fc.oneof({ maxDepth: 3, depthIdentifier: 'rules' }, fc.constant([]), tie('rules')),
      shadow_mode: fc.boolean(),
      quota_mode: fc.boolean(),
      detailed_metric: fc.boolean(),
      value_to_metric: fc.boolean(),
      metadata,
    },
    { requiredKeys: ['key'] },
  ),
}));

function textOf({ key, value = '' }: { key: string; value?: string }): string {
  return value === '' ? key : `${key}_${value}`;
}

/** Sets of one to three files, each a domain of its own. JSON is YAML too. */
export const randomSet: fc.Arbitrary<readonly RulesDocument[]> = fc
  .array(rules, { minLength: 1, maxLength: 3 })
  .map((files) =>
    files.map((descriptors, i) => ({ name: `${i}.yaml`, text: JSON.stringify({ domain: `d${i}`, descriptors }) })),
  );
