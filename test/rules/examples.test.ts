import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { limit } from '../../src/core/limit.ts';
import { rulesetOf } from './rules.ts';

const EXAMPLES = new URL('../../examples/rules/', import.meta.url);

describe('example rules', () => {
  it('make one valid set, with a limit of 10 a minute to try', () => {
    const names = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, EXAMPLES), 'utf8')]));
    const ruleset = rulesetOf(files);
    expect(ruleset.domains.get('basic')?.root.byKey.get('remote_address')?.any?.limits).to.deep.equal([
      limit({ requestsPerUnit: 10, unit: 'minute' }),
    ]);
  });
});
