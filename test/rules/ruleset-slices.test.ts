import { deepStrictEqual } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { compile } from '../../src/rules/compile.ts';
import { assembly, slicesOf } from '../../src/rules/ruleset-slices.ts';
import { largeSet } from './large.ts';
import { randomSet } from './random-set.ts';
import { rulesetOf } from './rules.ts';

const EXAMPLES = new URL('../../examples/rules/', import.meta.url);

/** Every slice as the other thread gets it. */
function moved(ruleset: Ruleset): Ruleset {
  const whole = assembly();
  for (const slice of slicesOf(ruleset)) whole.add(structuredClone(slice));
  return whole.ruleset(ruleset.generation);
}

describe('slices of a ruleset', function () {
  this.timeout(30_000);

  it('are the same set again: the examples', () => {
    for (const name of readdirSync(EXAMPLES).filter((file) => file.endsWith('.yaml'))) {
      const ruleset = rulesetOf({ [name]: readFileSync(new URL(name, EXAMPLES), 'utf8') });
      deepStrictEqual(moved(ruleset), ruleset);
    }
  });

  it('are the same set again: 100 random sets with wildcards, levels and metadata', () => {
    let rules = 0;
    fc.assert(
      fc.property(randomSet, (documents) => {
        const compiled = compile(documents, { mergeDomains: false, generation: 7 });
        if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems[0]));
        rules += compiled.ruleset.rules.length;
        deepStrictEqual(moved(compiled.ruleset), compiled.ruleset);
      }),
      { numRuns: 100 },
    );
    expect(rules).to.be.above(100);
  });

  it('are the same set again: two files of one domain, and a set without rules', () => {
    const file = (key: string): string => `domain: d\ndescriptors: [{key: ${key}, value: "x*"}]\n`;
    for (const ruleset of [rulesetOf({ a: file('a'), b: file('b') }, true), rulesetOf('domain: d\n'), rulesetOf({})]) {
      deepStrictEqual(moved(ruleset), ruleset);
    }
  });

  it('are 3 for 2,500 rules, with each of the 1,000 limits in one of them', () => {
    const compiled = compile(largeSet(2_500), { mergeDomains: false, generation: 1 });
    if (!compiled.ok) throw new Error('refused');
    const slices = [...slicesOf(compiled.ruleset)];
    expect(slices.map(({ rows, limits }) => [rows.length, limits.length])).to.deep.equal([
      [1_000, 1_000],
      [1_000, 0],
      [500, 0],
    ]);
  });

  it('keep equal limits one object, and limits and metadata frozen', () => {
    const limit = 'rate_limit: {unit: hour, requests_per_unit: 5}';
    const { rules } = moved(
      rulesetOf(`domain: d\ndescriptors: [{key: a, ${limit}}, {key: b, ${limit}, metadata: {list: [{deep: 1}]}}]\n`),
    );
    expect(rules[0]!.limits[0]).to.be.an('object').that.equals(rules[1]!.limits[0]);
    const list = rules[1]!.metadata!.list as readonly object[];
    expect([rules[0]!.limits[0], rules[1]!.metadata, list, list[0]].every(Object.isFrozen)).to.equal(true);
  });
});
