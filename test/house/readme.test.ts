import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';
import { formatProblem } from '../../src/rules/problem.ts';
import { ROOT } from './tree.ts';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const RULES = [...README.matchAll(/```yaml\n(domain: [\s\S]*?)```/g)].map(([, text]) => text as string);
const load = (text: string) => compile([{ name: 'edge.yaml', text }], { mergeDomains: false, generation: 1 });

describe('the README', () => {
  it('shows at least one whole rules file, and each of them loads', () => {
    expect(RULES).to.have.lengthOf.at.least(1);
    for (const text of RULES) expect(load(text)).to.have.property('ok', true);
  });

  it('shows the problem that its first rule has when a key of it is misspelled', () => {
    const [first = ''] = RULES;
    const refused = load(first.replace('requests_per_unit: 10', 'request_per_unit: 10'));
    if (refused.ok) throw new Error('a misspelled key was let through');
    // The sample is indented less than the terminal shows it.
    const [told = ''] = refused.problems.map(formatProblem);
    expect(README).to.include(told.split('\n')[0]);
  });
});
