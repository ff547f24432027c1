import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';
import { formatProblems } from '../../src/rules/problem.ts';

const CASES = new URL('./cases/', import.meta.url);
const names = readdirSync(CASES).filter((name) => name.endsWith('.yaml'));

// GOLDEN=write writes the texts anew; read them before they are kept.
describe('bad rules', () => {
  it('are at least 12, each beside its text', () => {
    expect(names.length).to.be.at.least(12);
    expect(readdirSync(CASES).filter((name) => name.endsWith('.txt'))).to.have.length(names.length);
  });

  for (const name of names) {
    it(`${name} is refused with exactly the text beside it`, () => {
      const compiled = compile([{ name, text: readFileSync(new URL(name, CASES), 'utf8') }], {
        mergeDomains: false,
        generation: 1,
      });
      const told = compiled.ok ? 'accepted\n' : `${formatProblems(compiled.problems)}\n`;
      const beside = new URL(name.replace('.yaml', '.txt'), CASES);
      if (process.env.GOLDEN === 'write') writeFileSync(beside, told);
      expect(told).to.equal(readFileSync(beside, 'utf8'));
    });
  }
});
