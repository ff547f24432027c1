import { expect } from 'chai';
import type { LoadReport, RulesDocument } from '../../src/core/ports.ts';
import { type RulesLoader, rulesLoader } from '../../src/rules/loader.ts';
import { handSource } from './hand-source.ts';

const file = (text: string, name = 'a.yaml'): RulesDocument => ({ name, text });
const GOOD = [file('domain: one\n')];
const OTHER = [file('domain: two\n')];
const BAD = [file('domains: one\n')];

describe('rules loader', () => {
  let reports: LoadReport[];
  let source: ReturnType<typeof handSource>;
  let loader: RulesLoader;

  async function started(first: readonly RulesDocument[]): Promise<void> {
    reports = [];
    source = handSource(first);
    loader = rulesLoader({ source, mergeDomains: false, observer: { rulesLoaded: (report) => reports.push(report) } });
    await loader.start();
  }

  /** What was wrong with the newest set. */
  const problems = (): string[] => {
    const newest = reports.at(-1)!;
    return newest.ok ? [] : newest.problems.map(({ message }) => message);
  };
  const domains = (): string[] => [...(loader.current()?.domains.keys() ?? [])];

  it('has generation 1 after the first good set and 2 after the second', async () => {
    await started(GOOD);
    expect([domains(), loader.current()?.generation]).to.deep.equal([['one'], 1]);
    source.onDocuments(OTHER);
    expect([domains(), loader.current()?.generation]).to.deep.equal([['two'], 2]);
  });

  it('keeps the last good set after a bad one, and reports it once', async () => {
    await started(GOOD);
    source.onDocuments(BAD);
    source.onDocuments(BAD);
    expect(domains()).to.deep.equal(['one']);
    expect(problems()).to.deep.equal(["config error, unknown key 'domains'"]);
    expect(reports.map(({ ok }) => ok)).to.deep.equal([true, false]);
  });

  it('has no rules after a bad start, and recovers with generation 1', async () => {
    await started(BAD);
    expect(loader.current()).to.equal(null);
    source.onDocuments(GOOD);
    expect([domains(), loader.current()?.generation, problems()]).to.deep.equal([['one'], 1, []]);
  });

  it('makes no new generation of what is live, also when a bad set lay between', async () => {
    await started(GOOD);
    const live = loader.current();
    source.onDocuments([...GOOD]);
    source.onDocuments(BAD);
    source.onDocuments([...GOOD]);
    expect(loader.current()).to.equal(live);
    expect(reports.map(({ ok }) => ok)).to.deep.equal([true, false, true]);
  });

  it('reports a set that cannot be read, keeps the last good one, and comes back to it', async () => {
    await started(GOOD);
    source.onUnreadable([
      { file: 'rules', line: 0, column: 0, message: 'no such file or directory', hint: '', source: '' },
    ]);
    expect([domains(), problems()]).to.deep.equal([['one'], ['no such file or directory']]);
    source.onDocuments(GOOD);
    expect([loader.current()?.generation, problems()]).to.deep.equal([1, []]);
  });

  it('takes an empty set for a valid one without domains', async () => {
    await started([]);
    expect([loader.current()?.domains.size, reports.map(({ ok }) => ok)]).to.deep.equal([0, [true]]);
  });

  it('tells a source what became of each set, and the same of the same set again', async () => {
    await started(GOOD);
    expect((await source.onDocuments(OTHER))?.ok).to.equal(true);
    for (let times = 0; times < 2; times++) {
      const judgement = await source.onDocuments(BAD);
      expect(judgement !== null && !judgement.ok && judgement.problems.map(({ message }) => message)).to.deep.equal(
        problems(),
      );
    }
    expect(reports.map(({ ok }) => ok)).to.deep.equal([true, true, false]);
  });

  it('tells a source what became of a set that a thread reads, and that an overtaken one was not looked at', async () => {
    const observer = { rulesLoaded: () => {} };
    source = handSource([]);
    loader = rulesLoader({ source, mergeDomains: false, observer, maxDirectLength: 20 });
    await loader.start();
    const large = (name: string) => [file(`domain: ${name}\n# ${'x'.repeat(20)}`)];
    const first = source.onDocuments(large('one'));
    const overtaken = source.onDocuments(large('two'));
    const last = source.onDocuments(large('three'));
    expect([(await first)?.ok, await overtaken, (await last)?.ok]).to.deep.equal([true, null, true]);
    expect(domains()).to.deep.equal(['three']);
    const dropped = source.onDocuments(large('four'));
    expect((await source.onDocuments(GOOD))?.ok).to.equal(true);
    expect(await dropped).to.equal(null);
    expect(domains()).to.deep.equal(['one']);
    await loader.stop();
  });

  it('stops its source', async () => {
    await started(GOOD);
    await loader.stop();
    expect(source.stops).to.equal(1);
  });
});
