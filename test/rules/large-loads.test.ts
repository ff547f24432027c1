import type { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import type { LoadReport, RulesDocument } from '../../src/core/ports.ts';
import { type RulesLoader, rulesLoader } from '../../src/rules/loader.ts';
import { eventually } from '../support/eventually.ts';
import { handSource } from './hand-source.ts';
import { largeSet } from './large.ts';

/** What is longer than this is large here, so that the tests need no large sets. */
const MAX_DIRECT_LENGTH = 100;
const small = (domain: string): readonly RulesDocument[] => [{ name: 'small.yaml', text: `domain: ${domain}\n` }];
const large = (domain: string): readonly RulesDocument[] => largeSet(500, domain);

describe('rules loader with large sets', function () {
  this.timeout(60_000);
  let reports: string[];
  let threads: Worker[];
  let source: ReturnType<typeof handSource>;
  let loader: RulesLoader;

  const opened = (thread: Worker): void => void threads.push(thread);

  beforeEach(() => {
    reports = [];
    threads = [];
    process.on('worker', opened);
  });

  afterEach(async () => {
    process.off('worker', opened);
    await loader.stop();
    // -1 is the id of a thread that has ended.
    expect(threads.map(({ threadId }) => threadId).filter((id) => id !== -1)).to.deep.equal([]);
  });

  function load(first: readonly RulesDocument[], heapMb = 256): Promise<void> {
    source = handSource(first);
    const rulesLoaded = (report: LoadReport) => void reports.push(nameOf(report));
    const options = { source, mergeDomains: false, observer: { rulesLoaded } };
    loader = rulesLoader({ ...options, maxDirectLength: MAX_DIRECT_LENGTH, heapMb });
    return loader.start();
  }

  function nameOf(report: LoadReport): string {
    if (!report.ok) return report.problems[0]!.message;
    return `${[...report.ruleset.domains.keys()].join()} ${report.ruleset.generation}`;
  }

  it('has started when the first set is live', async () => {
    await load(large('one'));
    expect([reports, loader.current()?.rules.length, threads.length]).to.deep.equal([['one 1'], 500, 1]);
  });

  it('has started when the first set was refused, and recovers with generation 1', async () => {
    await load(largeSet(500, '""'));
    expect([reports, loader.current()]).to.deep.equal([['config file cannot have empty domain'], null]);
    source.onDocuments(large('one'));
    await eventually('the second set', () => reports[1] === 'one 1');
  });

  it('opens no thread for a small set, which is live at once', async () => {
    await load(small('one'));
    source.onDocuments(small('two'));
    expect([reports, threads]).to.deep.equal([['one 1', 'two 2'], []]);
  });

  it('lets a small set pass a large one, which is never live', async () => {
    await load(small('one'));
    source.onDocuments(large('old'));
    source.onDocuments(small('new'));
    expect(reports).to.deep.equal(['one 1', 'new 2']);
    source.onDocuments(large('newest'));
    await eventually('the newest set', () => reports.includes('newest 3'));
    expect(reports).to.deep.equal(['one 1', 'new 2', 'newest 3']);
  });

  it('reads one large set at a time: the first and the newest of 5, not those between', async () => {
    await load(small('one'));
    for (const name of ['a', 'b', 'c', 'd', 'e']) source.onDocuments(large(name));
    await eventually('the newest set', () => reports.includes('e 3'));
    expect([reports, threads.length]).to.deep.equal([['one 1', 'a 2', 'e 3'], 2]);
  });

  it('reads a set once when it comes again while it is read', async () => {
    await load(small('one'));
    for (const name of ['a', 'b', 'a']) source.onDocuments(large(name));
    await eventually('the set', () => reports.includes('a 2'));
    source.onDocuments(large('c'));
    await eventually('the next set', () => reports.includes('c 3'));
    expect(reports).to.deep.equal(['one 1', 'a 2', 'c 3']);
  });

  it('makes no new generation of a large set that is live, and opens no thread for it', async () => {
    await load(large('one'));
    source.onDocuments(large('two'));
    source.onDocuments(large('one'));
    await loader.stop();
    expect([reports, loader.current()?.generation, threads.length]).to.deep.equal([['one 1', 'one 1'], 1, 2]);
  });

  it('gives up a set whose source cannot be read any more, and reads it when it is back', async () => {
    await load(small('one'));
    source.onDocuments(large('two'));
    source.onUnreadable([{ file: 'rules', line: 0, column: 0, message: 'gone', hint: '', source: '' }]);
    expect(reports).to.deep.equal(['one 1', 'gone']);
    source.onDocuments(large('two'));
    await eventually('the set', () => reports.includes('two 2'));
    expect(reports).to.deep.equal(['one 1', 'gone', 'two 2']);
  });

  it('keeps the last good set when a larger one needs too much memory, and reads on', async () => {
    await load(large('one'), 32);
    source.onDocuments(largeSet(100_000, 'huge'));
    await eventually('the refusal', () => reports.length === 2);
    expect([reports[1], loader.current()?.generation]).to.deep.equal(['the rules are too large to read', 1]);
    source.onDocuments(small('two'));
    expect(reports[2]).to.equal('two 2');
  });

  it('stops while a set is read: no report, no thread left, and start ends too', async () => {
    const starting = load(largeSet(20_000));
    await loader.stop();
    await starting;
    expect([reports, source.stops, loader.current()]).to.deep.equal([[], 1, null]);
  });
});
