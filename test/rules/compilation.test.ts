import { deepStrictEqual } from 'node:assert';
import { expect } from 'chai';
import fc from 'fast-check';
import type { RulesDocument } from '../../src/core/ports.ts';
import { compilation } from '../../src/rules/compilation.ts';
import { compile } from '../../src/rules/compile.ts';
import { largeSet } from './large.ts';
import { randomSet } from './random-set.ts';

const OPTIONS = { mergeDomains: false, generation: 3 };

describe('compilation in a thread', function () {
  this.timeout(60_000);

  async function bothWays(documents: readonly RulesDocument[]): Promise<void> {
    deepStrictEqual(await compilation(documents, OPTIONS).compiled, compile(documents, OPTIONS));
  }

  it('makes what the direct one makes of 100 random files', async () => {
    const domains = fc.sample(randomSet, { numRuns: 100 }).map(([first], i) => ({
      name: `${String(i).padStart(3, '0')}.yaml`,
      text: first!.text.replace('"d0"', `"d${i}"`),
    }));
    await bothWays(domains);
  });

  it('makes what the direct one makes of 2,500 rules, 3 slices, and of no files', async () => {
    await bothWays(largeSet(2_500));
    await bothWays([]);
  });

  it('finds the same problems', async () => {
    const text = largeSet(50)[0]!.text.replaceAll('minute', 'minuet');
    await bothWays([
      { name: 'b.yaml', text: 'domain: [' },
      { name: 'a.yaml', text },
    ]);
  });

  it('leaves the event loop turning: a timer runs 20 times and more while 5,000 rules are read', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1).unref();
    const compiled = await compilation(largeSet(5_000), OPTIONS).compiled;
    clearInterval(timer);
    expect(compiled).to.have.nested.property('ruleset.rules').with.length(5_000);
    expect(turns).to.be.at.least(20);
  });

  it('refuses rules that need more memory than the thread has, and says so', async () => {
    const compiled = await compilation(largeSet(20_000), { ...OPTIONS, heapMb: 16 }).compiled;
    expect(compiled).to.deep.equal({
      ok: false,
      problems: [
        { file: 'large.yaml', line: 0, column: 0, message: 'the rules are too large to read', hint: '', source: '' },
      ],
    });
  });

  it('turns a thread that fails into a problem', async () => {
    const noText = [{ name: 'a.yaml', text: 5 as unknown as string }];
    const compiled = await compilation(noText, OPTIONS).compiled;
    expect(compiled)
      .to.have.nested.property('problems[0].message')
      .that.matches(/^the rules could not be read: ./);
  });

  it('answers null when it is ended, whenever that is', async () => {
    const early = compilation(largeSet(10), OPTIONS);
    await early.end();
    await early.end();
    expect(await early.compiled).to.equal(null);
  });
});
