import { expect } from 'chai';
import fc from 'fast-check';
import { explain } from '../../src/core/explanation.ts';
import type { Domain } from '../../src/core/ruleset.ts';
import { LAW_RUNS } from '../laws/runs.ts';
import { rulesetOf } from '../rules/rules.ts';
import { entriesOf, matchesOf, request } from './asking.ts';

const RULES = rulesetOf(`
domain: d
descriptors:
  - { key: user, value: a*, rate_limit: { unit: hour, requests_per_unit: 1 } }
  - { key: user, value: '*b', rate_limit: { unit: hour, requests_per_unit: 2 } }
  - key: user
    value: ann
    descriptors:
      - { key: path, rate_limit: { unit: hour, requests_per_unit: 3 } }
  - { key: user, rate_limit: { unit: hour, requests_per_unit: 4 } }
  - { key: 'us*', rate_limit: { unit: hour, requests_per_unit: 5 } }
  - { key: other, rate_limit: { unit: hour, requests_per_unit: 6 } }
`);
const DOMAIN = RULES.domains.get('d') as Domain;

function told(descriptor: string): readonly (readonly [picked: string | null, passed: string, unlisted: number])[] {
  return explain(DOMAIN, entriesOf(descriptor)).map(({ picked, passed, unlisted }) => [
    picked?.text ?? null,
    passed.map(({ rule, because }) => `${rule.text} ${because}`).join(', '),
    unlisted,
  ]);
}

describe('explanation', () => {
  it('of an exact value passes over patterns that match, the ones that do not, and key alone', () => {
    expect(told('user=ann path=/')).to.deep.equal([
      ['user_ann', 'user_a* exact_value_first, user_*b pattern_differs, us* exact_value_first, user value_first', 1],
      ['path', '', 0],
    ]);
  });

  it('of two patterns that match says that the other is later in the file', () => {
    expect(told('user=ab')[0]).to.deep.equal([
      'user_a*',
      'user_*b earlier_in_file, us* earlier_in_file, user value_first, user_ann another_value',
      1,
    ]);
  });

  it('ends at the first entry without a rule', () => {
    expect(told('user=ann nothing=x more=y')).to.deep.equal([
      ['user_ann', 'user_a* exact_value_first, user_*b pattern_differs, us* exact_value_first, user value_first', 1],
      [null, '', 1],
    ]);
    expect(told('user=ab path=/')[1]).to.deep.equal([null, '', 0]);
  });

  it('lists at most 20 of 1000 siblings, and counts the others', () => {
    const siblings = Array.from({ length: 1000 }, (_, i) => `{ key: k, value: v${i} }`);
    const large = rulesetOf(`{ domain: d, descriptors: [${siblings.join(', ')}] }`).domains.get('d') as Domain;
    const [step] = explain(large, entriesOf('k=v7'));
    expect(step?.picked?.value).to.equal('v7');
    expect([step?.passed.length, step?.unlisted]).to.deep.equal([20, 979]);
  });

  it('law: the last step picks the rule that the match found, whatever is asked', () => {
    const entry = fc.tuple(
      fc.constantFrom('user', 'path', 'other', 'usher'),
      fc.constantFrom('', 'ann', 'ab', 'b', 'x'),
    );
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), (pairs) => {
        const text = pairs.map(([key, value]) => `${key}=${value}`).join(' ');
        const [found] = matchesOf(RULES, request('d', [text]));
        const last = explain(DOMAIN, entriesOf(text)).at(-1);
        if (found?.kind === 'limited') expect(last?.picked).to.equal(found.rule);
        else if (found?.kind === 'none' && found.because === 'no_rule') expect(last?.picked).to.equal(null);
        else expect(last?.picked?.limits).to.deep.equal([]);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
