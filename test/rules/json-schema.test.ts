import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { parse } from 'yaml';
import { rulesJsonSchema } from '../../src/rules/json-schema.ts';

const EXAMPLES = new URL('../../examples/rules/', import.meta.url);

describe('JSON Schema of the rules', () => {
  const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
    rulesJsonSchema(),
  );
  const isValid = (text: string): boolean => validate(parse(text));
  const withRule = (rule: string): boolean => isValid(`{ domain: d, descriptors: [{ key: k, ${rule} }] }`);

  for (const name of readdirSync(EXAMPLES).filter((file) => file.endsWith('.yaml'))) {
    it(`accepts ${name} of the examples`, () => {
      expect(isValid(readFileSync(new URL(name, EXAMPLES), 'utf8')), JSON.stringify(validate.errors)).to.equal(true);
    });
  }

  it('accepts a unit in capitals, a bare number for a value, and free metadata', () => {
    expect(withRule('value: 10, rate_limit: { unit: SECOND }, metadata: { any: [1, { x: y }] }')).to.equal(true);
  });

  for (const [mistake, rule] of Object.entries({
    'a misspelled key': 'rate_limt: { unit: second }',
    'an unknown unit': 'rate_limit: { unit: fortnight }',
    'an unknown algorithm': 'rate_limit: { unit: second, algorithm: gcra }',
    'requests_per_unit below 0': 'rate_limit: { unit: second, requests_per_unit: -1 }',
    'unit_multiplier 0': 'rate_limit: { unit: second, unit_multiplier: 0 }',
    'rate_limit beside rate_limits': 'rate_limit: { unit: second }, rate_limits: [{ unit: minute }]',
    'empty rate_limits': 'rate_limits: []',
    'unlimited in rate_limits': 'rate_limits: [{ unlimited: true }]',
    'replaces in rate_limits': 'rate_limits: [{ unit: second, replaces: [{ name: other }] }]',
    'burst of the rule': 'burst: 3',
    'another failure policy': 'rate_limit: { unit: second }, on_store_failure: retry',
  })) {
    it(`refuses ${mistake}`, () => {
      expect(withRule('rate_limit: { unit: second }')).to.equal(true);
      expect(withRule(rule)).to.equal(false);
    });
  }

  it('refuses a file without a domain, and a rule without a key', () => {
    expect(isValid('descriptors: []')).to.equal(false);
    expect(isValid('{ domain: d, descriptors: [{ value: v }] }')).to.equal(false);
  });
});
