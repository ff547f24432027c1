import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';
import { formatProblem } from '../../src/rules/problem.ts';
import { type Folder, folder, weir } from '../cli/weir.ts';
import { files, ROOT, read } from './tree.ts';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const DOCS = files(/^docs\/.*\.md$/).map(read);
const BLOCKS = [README, ...DOCS].flatMap((page) =>
  [...page.matchAll(/```yaml\n(domain: [\s\S]*?)```/g)].map(([, text]) => text as string),
);
const CASES = BLOCKS.filter((text) => /^cases:/m.test(text));
const RULES = BLOCKS.filter((text) => !CASES.includes(text));
const load = (text: string) => compile([{ name: 'edge.yaml', text }], { mergeDomains: false, generation: 1 });

describe('the README and the docs', () => {
  let rules: Folder;
  before(async () => {
    rules = await folder();
  });
  after(() => rules.remove());

  it('show at least one whole rules file, and each of them loads', () => {
    expect(RULES).to.have.lengthOf.at.least(1);
    for (const text of RULES) expect(load(text)).to.have.property('ok', true);
  });

  it('show cases that the examples pass', async () => {
    expect(CASES).to.have.lengthOf.at.least(1);
    for (const [i, text] of CASES.entries()) {
      const cases = await rules.write(`cases-${i}.yaml`, text);
      expect(weir(['test', join(ROOT, 'examples/rules'), cases])).to.include({ code: 0, stderr: '' });
    }
  });

  it('show the problem that its first rule has when a key of it is misspelled', () => {
    const [first = ''] = RULES;
    const refused = load(first.replace('requests_per_unit: 10', 'request_per_unit: 10'));
    if (refused.ok) throw new Error('a misspelled key was let through');
    // The sample is indented less than the terminal shows it.
    const [told = ''] = refused.problems.map(formatProblem);
    expect(README).to.include(told.split('\n')[0]);
  });
});
