import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { compile } from '../../src/rules/compile.ts';
import { formatProblem } from '../../src/rules/problem.ts';
import { SCHEMA, type SchemaLevel } from '../../src/rules/schema.ts';
import { type Folder, folder, weir } from '../cli/weir.ts';
import { ROOT, read } from '../house/tree.ts';
import { type Block, blocksOf, domainOf, isCases, isRules, PAGES } from './page.ts';

const BLOCKS = PAGES.flatMap(blocksOf);
const RULES = BLOCKS.filter(isRules);
const CASES = BLOCKS.filter(isCases);
const WITH_SECRET = { HASH_VALUE_SECRET: 'a secret of the tests' };
/** What a key leads to. */
const BELOW: Readonly<Record<string, SchemaLevel>> = {
  descriptors: 'rule',
  rate_limit: 'rate_limit',
  rate_limits: 'rate_limits',
  replaces: 'replaces',
};

const load = (text: string) => compile([{ name: 'edge.yaml', text }], { mergeDomains: false, generation: 1 });
const at = ({ page, line }: Block): string => `${page}:${line}`;

describe('rules on the pages', () => {
  let written: Folder;
  before(async () => {
    written = await folder();
  });
  after(() => written.remove());

  for (const block of RULES) {
    it(`load: ${at(block)}`, () => {
      const loaded = load(block.text);
      expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).to.deep.equal([]);
    });
  }

  for (const cases of CASES) {
    it(`answer what is said of them: ${at(cases)}`, async () => {
      const file = await written.write('cases.yaml', cases.text);
      const ended = weir(['test', await rulesFor(cases), file], WITH_SECRET);
      expect(ended, ended.stdout).to.include({ code: 0, stderr: '' });
    });
  }

  it('show the problem that the first of them has when a key of it is misspelled', () => {
    const refused = load((RULES[0] as Block).text.replace('requests_per_unit: 10', 'request_per_unit: 10'));
    if (refused.ok) throw new Error('a misspelled key was let through');
    // The sample is indented less than the terminal shows it.
    const [told = ''] = refused.problems.map(formatProblem);
    expect(read('README.md')).to.include(told.split('\n')[0]);
  });

  /** Cases speak of the last rules of their domain above them, or of the examples. */
  async function rulesFor(cases: Block): Promise<string> {
    const above = RULES.filter(({ page, line }) => page === cases.page && line < cases.line);
    const rules = above.findLast((block) => domainOf(block) === domainOf(cases));
    return rules === undefined ? join(ROOT, 'examples/rules') : written.write('rules.yaml', rules.text);
  }
});

describe('docs/rules.md', () => {
  const used = new Set<string>();
  for (const block of RULES.filter(({ page }) => page === 'docs/rules.md')) note('file', parse(block.text));

  for (const { key, levels } of SCHEMA) {
    it(`has an example of ${key} in ${levels.join(' or ')}`, () => {
      expect(levels.map((level) => `${level}.${key}`)).to.satisfy((all: string[]) => all.some((it) => used.has(it)));
    });
  }

  it('names every key in its list of contents', () => {
    const [contents = ''] = read('docs/rules.md').split('\n## ');
    const named = [...contents.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    expect(named).to.include.members([...new Set(SCHEMA.map(({ key }) => key))]);
  });

  function note(level: SchemaLevel, map: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(map)) {
      used.add(`${level}.${key}`);
      const below = BELOW[key];
      if (below === undefined) continue;
      for (const each of Array.isArray(value) ? value : [value]) note(below, each as Record<string, unknown>);
    }
  }
});
