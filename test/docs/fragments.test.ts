import { expect } from 'chai';
import { parse } from 'yaml';
import { compile } from '../../src/rules/compile.ts';
import { formatProblem } from '../../src/rules/problem.ts';
import { read } from '../house/tree.ts';
import { type Block, blocksOf, isCases, isRules, PAGES } from './page.ts';

const FRAGMENTS = PAGES.flatMap(blocksOf).filter(
  (block) => block.language === 'yaml' && !isRules(block) && !isCases(block),
);
const ENVOY = parse(read('deploy/envoy/envoy.yaml')) as unknown;
const at = ({ page, line }: Block): string => `${page}:${line}`;

describe('parts of YAML on the pages', () => {
  for (const block of FRAGMENTS) {
    it(`can be read: ${at(block)}`, () => {
      for (const part of partsOf(block)) expect(parse(part)).to.not.equal(null);
    });
  }

  for (const block of FRAGMENTS.filter(({ page, text }) => page === 'README.md' && text.includes('envoy.'))) {
    it(`stand in deploy/envoy/envoy.yaml, which is tested: ${at(block)}`, () => {
      for (const part of partsOf(block)) {
        const said = parse(part) as unknown;
        const wanted = Array.isArray(said) ? (said[0] as unknown) : said;
        expect(
          everythingIn(ENVOY).some((each) => holds(each, wanted)),
          part,
        ).to.equal(true);
      }
    });
  }

  for (const block of FRAGMENTS.filter(({ text }) => /^- key:/.test(text))) {
    it(`are rules that load: ${at(block)}`, () => {
      const text = `domain: part\ndescriptors:\n${block.text.replace(/^/gm, '  ')}`;
      const loaded = compile([{ name: 'part.yaml', text }], { mergeDomains: false, generation: 1 });
      expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).to.deep.equal([]);
    });
  }
});

/** Places of one file that are shown together are numbered. */
function partsOf({ text }: Block): readonly string[] {
  return text.split(/^(?=# \d)/m);
}

/** A value and all that is below it. */
function everythingIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return [value, ...Object.values(value).flatMap(everythingIn)];
}

/** Whether all that `wanted` says is said in `value`, which may say more. */
function holds(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return value === wanted;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(wanted).every(([key, part]) => holds((value as Record<string, unknown>)[key], part));
}
