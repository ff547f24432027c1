import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'chai';
import { files } from '../house/tree.ts';
import { ARRIVALS_MS, LIMIT, panelOf } from './algorithms-plot.ts';
import { PICTURES } from './draw.ts';
import { peers } from './peers-plot.ts';

const between = (times: readonly number[], fromMs: number, toMs: number): number =>
  times.filter((ms) => ms >= fromMs && ms < toMs).length;

describe('27 requests against 5 in 10 seconds', () => {
  it('get 10 through a fixed window within 4 seconds around its edge', async () => {
    expect(between((await panelOf('fixed_window')).admittedMs, 8_000, 12_000)).to.equal(2 * LIMIT);
  });

  it('get 5 through a sliding window there, and 6 through a token bucket, which has got one back', async () => {
    expect(between((await panelOf('sliding_window')).admittedMs, 8_000, 12_000)).to.equal(LIMIT);
    expect(between((await panelOf('token_bucket')).admittedMs, 8_000, 12_000)).to.equal(LIMIT + 1);
  });

  it('never get two through a leaky bucket within 2 seconds', async () => {
    const { admittedMs } = await panelOf('leaky_bucket');
    const gaps = admittedMs.slice(1).map((ms, i) => ms - (admittedMs[i] as number));
    expect(Math.min(...gaps)).to.be.at.least(2_000);
  });

  it('each pass or are refused', async () => {
    for (const algorithm of ['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'] as const) {
      const { admittedMs, refusedMs } = await panelOf(algorithm);
      expect([...admittedMs, ...refusedMs].sort((a, b) => a - b)).to.deep.equal(ARRIVALS_MS);
    }
  });
});

describe('the figures of the peers', () => {
  it('say of each where it is from, and are numbers', () => {
    for (const { from, perSecond, cpuUs } of peers().flatMap(({ bars }) => bars)) {
      expect(from).to.not.equal('');
      expect(perSecond).to.be.greaterThan(0);
      expect(cpuUs).to.be.greaterThan(0);
    }
  });

  it('hold four of ours, from test/bench/RESULTS.md', () => {
    expect(peers().flatMap(({ bars }) => bars.filter(({ ours }) => ours))).to.have.lengthOf(4);
  });
});

describe('pictures of the pages', () => {
  for (const [url, draw] of PICTURES) {
    it(`are as they are drawn now: ${basename(url.pathname)} (make tables)`, async () => {
      expect(readFileSync(url, 'utf8')).to.equal(await draw());
    });
  }

  it('are all that docs has', () => {
    const drawn = PICTURES.map(([url]) => `docs/${basename(url.pathname)}`);
    expect(files(/^docs\/.*\.svg$/)).to.have.members(drawn);
  });
});
