import cluster from 'node:cluster';
import { expect } from 'chai';
import { type Crew, crew } from '../../src/workers/crew.ts';
import type { Report } from '../../src/workers/messages.ts';
import { eventually } from '../support/eventually.ts';
import { allEnd } from './bed.ts';

const STUB = new URL('stub.cjs', import.meta.url).pathname;

describe('the crew of 2 workers', function () {
  this.timeout(60_000);
  const ends: { readonly how: string; readonly waitMs: number; readonly pid: number }[] = [];
  const hung: number[] = [];
  const lasts: Partial<Report>[] = [];
  let running: Crew | null = null;

  afterEach(async () => {
    await running?.stop();
    running = null;
    ends.length = hung.length = lasts.length = 0;
  });

  /** Of workers that do as the word says. */
  function crewOf(word: string): Crew {
    running = crew({
      count: 2,
      news: { loaded: () => null, refused: () => null },
      stopTimeoutMs: 5_000,
      page: async () => null,
      onLast: (last) => void lasts.push(last),
      onEnded: ({ pid }, how, waitMs) => void ends.push({ pid, how, waitMs }),
      onHung: ({ pid }) => void hung.push(pid),
      lookMs: 50,
      program: { exec: STUB, args: [word], execArgv: [] },
    });
    return running;
  }

  it('serves until it is stopped, and then has ended', async () => {
    const { start, stop, numbers } = crewOf('serve');
    await start();
    expect(numbers()).to.deep.equal({ serving: 2, restarts: 0 });
    await stop();
    expect(numbers().serving).to.equal(0);
    expect(ends).to.deep.equal([]);
  });

  it('starts those that serve and crash at once again after 100, 200 and 400 ms', async () => {
    const { start, numbers } = crewOf('crash');
    await start();
    await eventually('waits that grow', () => ends.some(({ waitMs }) => waitMs === 400));
    const waits = [...new Set(ends.map(({ waitMs }) => waitMs))];
    expect(waits.slice(0, 3)).to.deep.equal([100, 200, 400]);
    expect(ends[0]).to.include({ how: 'exit code 7' });
    expect(numbers().restarts).to.be.at.least(4);
  });

  it('kills and starts again those that answer nothing any more', async () => {
    const { start, numbers } = crewOf('hang');
    await start();
    await eventually('both to be killed', () => hung.length >= 2 && numbers().restarts >= 2);
    await allEnd(hung.slice(0, 2));
    expect(ends.slice(0, 2).map(({ how }) => how)).to.deep.equal(['SIGKILL', 'SIGKILL']);
  });

  it('lets one be silent for as long as a profile of it is awaited', async () => {
    const { start, find } = crewOf('hang');
    void start();
    const { pid, profile } = await eventually('one that serves', () => find(null) ?? false);
    const awaited = profile('heap', 0);
    await eventually('two others to be killed', () => hung.length >= 2);
    expect(hung).not.to.include(pid);
    awaited.destroy();
    await eventually('its end', () => hung.includes(pid));
  });

  for (const word of ['hang at once', 'hang on the way']) {
    it(`kills and starts again those that ${word}, before they have served`, async () => {
      const { start, numbers } = crewOf(word);
      void start();
      await eventually('both to be killed', () => hung.length >= 2 && numbers().restarts >= 2);
      await allEnd(hung.slice(0, 2));
      expect(numbers().serving).to.equal(0);
    });
  }

  it('has what they tell without being asked, and keeps it when they are killed', async () => {
    const { start, lastReports } = crewOf('serve');
    await start();
    await eventually('two reports', () => lastReports('metrics').length === 2);
    expect(lastReports('metrics').map(([hits]) => hits?.values)).to.deep.equal([[7], [7]]);
    for (const worker of Object.values(cluster.workers!)) worker?.process.kill('SIGKILL');
    await eventually('two ends', () => ends.length === 2);
    expect(lasts.map(({ metrics }) => metrics?.[0]?.values)).to.deep.equal([[7], [7]]);
  });

  it('kills those that do not end when they are told to', async () => {
    const { start, stop } = crewOf('stay');
    await start();
    await stop();
    expect(running!.numbers().serving).to.equal(0);
  });
});
