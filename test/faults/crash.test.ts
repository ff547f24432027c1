import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { openLoop, percentile } from '../support/load.ts';
import { needsRedis } from '../support/redis.ts';
import { ask, type Bed, bed, tally } from './bed.ts';
import { results } from './results.ts';

const SOAK = process.env.SOAK === '1';
const RATE = SOAK ? 2_000 : 300;
const TIMES = SOAK ? 10 : 3;
/** A call that takes longer than this hangs. */
const HANGS_MS = 5_000;

describe('a Redis that is killed and comes back under load', function () {
  this.timeout(240_000);
  let made: Bed;
  before(async function () {
    needsRedis(this);
    made = await bed({ args: ['--appendonly', 'yes', '--appendfsync', 'no'] });
  });
  after(() => made?.close());

  it(`leaves no call hanging and no counter without a time to live, ${TIMES} times at ${RATE} calls a second`, async () => {
    const { redis, patient, metric, weir } = made;
    const { pid } = weir.process();
    const loop = openLoop(RATE, (i) => ask(patient, 'phase', String(i % 1_000)));
    const immortal: string[] = [];
    const backMs: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      const from = loop.begun();
      await eventually('calls before the crash', () => loop.begun() > from + RATE / 4);
      await redis.kill();
      await eventually('a call that fails', async () => (await ask(patient, 'two', 'crash')) === '14');
      await redis.restart();
      const upMs = performance.now();
      await eventually('a call that is counted', async () => (await ask(patient, 'phase', 'back')) === 'OK');
      backMs.push(performance.now() - upMs);
      immortal.push(...(await withoutEnd(made)));
    }
    const ended = await loop.finish();
    const outcomes = tally(ended.map(({ outcome }) => outcome));
    const took = ended.map(({ tookMs }) => tookMs);

    expect(immortal, 'counters without a time to live').to.deep.equal([]);
    expect(await redis.client.dbsize()).to.be.above(100);
    expect(Object.keys(outcomes).sort(), 'only answers and UNAVAILABLE').to.deep.equal(['14', 'OK']);
    expect(percentile(took, 1), 'ms of the longest call').to.be.below(HANGS_MS);
    expect(weir.process().running()).to.equal(true);
    expect(weir.process().pid).to.equal(pid);
    expect(await metric('ratelimit_bugs_total')).to.equal(0);
    expect(weir.process().output()).to.not.match(/unhandled/i);
    results('2', `kill -9 and restart, ${TIMES} times under ${RATE} calls a second (${ended.length} calls)`);
    results(
      '2',
      `every call ended: p99 ${percentile(took, 0.99).toFixed(1)} ms, the longest ${percentile(took, 1).toFixed(1)} ms`,
    );
    results('2', `answers: ${JSON.stringify(outcomes)}; defects of weir 0, unhandled rejections 0`);
    results('2', `counters without a time to live after each restart: 0 of ${await redis.client.dbsize()}`);
    results(
      '2',
      `from Redis being up to the first counted call: ${backMs.map((each) => Math.round(each)).join(', ')} ms`,
    );
  });
});

async function withoutEnd({ redis }: Bed): Promise<string[]> {
  const keys = await redis.client.keys('*');
  const lives = await Promise.all(keys.map((key) => redis.client.ttl(key)));
  return keys.filter((_, i) => lives[i] === -1);
}
