import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { forgetfulSentinel } from '../support/forgetful-sentinel.ts';
import { openLoop } from '../support/load.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type OwnSentinel, ownSentinel } from '../support/redis-sentinel.ts';
import { ask, type Serving, serving, tally } from './bed.ts';
import { results } from './results.ts';

const SOAK = process.env.SOAK === '1';
const RATE = SOAK ? 500 : 100;
const DEMOTIONS = SOAK ? 3 : 1;
const AFTER_PROMOTION_MS = 2_000;

/** How often the server answered READONLY. */
async function refusals({ client }: OwnRedis): Promise<number> {
  const stats = String(await client.info('errorstats'));
  return Number(/errorstat_READONLY:count=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe('a master behind sentinels that is lost under load', function () {
  this.timeout(180_000);
  let own: OwnSentinel;
  let made: Serving;
  before(function () {
    needsRedis(this);
    return fresh();
  });
  after(end);

  async function fresh(): Promise<void> {
    own = await ownSentinel({ keepsConnections: true });
    made = await serving(own.url, { REDIS_TYPE: 'SENTINEL', REDIS_POOL_SIZE: '2' });
  }

  async function end(): Promise<void> {
    await made?.close();
    await own?.stop();
  }

  async function promoted(before: OwnRedis): Promise<OwnRedis> {
    const others = own.servers.filter((server) => server !== before && server.client.status === 'ready');
    return eventually('a promotion', async () => {
      for (const server of others) {
        if (String(await server.client.info('replication')).includes('role:master')) return server;
      }
      return false;
    });
  }

  /** Asks all along while `lose` is done, until calls succeed one after the other. */
  async function losing(name: string, lose: (master: OwnRedis) => Promise<void>) {
    const { patient, weir } = made;
    const { pid } = weir.process();
    const before = await own.master();
    let phase = `${name}_before`;
    const beganMs = performance.now();
    const loop = openLoop(RATE, () => ask(patient, 'phase', phase));
    await eventually('calls before', () => loop.begun() > RATE / 2);
    await lose(before);
    const master = await promoted(before);
    const promotedMs = performance.now();
    // Whatever the old master was still told is counted under the other name.
    phase = `${name}_after`;
    await eventually('a call counted in the new master', async () => {
      return (await master.client.keys(`*phase_${phase}_*`)).length > 0;
    });
    const firstMs = performance.now() - promotedMs;
    const seen = loop.begun();
    await eventually('more calls', () => loop.begun() > seen + RATE);
    const calls = await loop.finish();
    const failed = calls.filter(({ outcome }) => outcome !== 'OK');
    const lastMs = Math.max(0, ...failed.map(({ atMs }) => atMs - (promotedMs - beganMs)));
    const outcomes = tally(calls.map(({ outcome }) => outcome));

    expect(
      Object.keys(outcomes).filter((code) => !/^(OK|14)$/.test(code)),
      'strange answers',
    ).to.deep.equal([]);
    expect(
      calls.slice(-RATE / 4).every(({ outcome }) => outcome === 'OK'),
      'the last calls succeed',
    ).to.equal(true);
    expect(weir.process().pid).to.equal(pid);
    expect(weir.process().running()).to.equal(true);
    expect(weir.process().output()).to.not.match(/unhandled/i);
    if (SOAK) {
      expect(firstMs, 'ms from the promotion to the first counted call').to.be.below(AFTER_PROMOTION_MS);
      expect(lastMs, 'ms from the promotion to the last failed call').to.be.below(AFTER_PROMOTION_MS);
    }
    const figures = `first counted call ${Math.round(firstMs)} ms after the promotion, ${failed.length} of ${calls.length} calls failed, the last begun ${Math.round(lastMs)} ms after the promotion`;
    return { before, figures };
  }

  for (let time = 1; time <= DEMOTIONS; time++) {
    it(`counts in the new one when the old one was demoted and kept its connections (${time})`, async () => {
      await eventually('2 replicas', async () => {
        return String(await (await own.master()).client.info('replication')).split('state=online').length - 1 === 2;
      });
      const { before, figures } = await losing(`demoted_${time}`, async () => {
        // A sentinel that has not yet seen the last promotion through refuses.
        await eventually('a failover', () => own.failover().then(() => true));
      });
      const refused = await refusals(before);
      results('3', `demoted under ${RATE} calls a second, connections open: ${figures}; ${refused} times READONLY`);
    });
  }

  it('counts in the new one when the old one was killed', async () => {
    // Sentinels take 10 s to make a demoted master a replica, and new ones 2.
    await end();
    await fresh();
    const { figures } = await losing('killed', (master) => master.kill());
    results('3', `kill -9 of the master under ${RATE} calls a second: ${figures}`);
  });
});

describe('a demoted master whose demotion no watched sentinel tells', function () {
  this.timeout(60_000);
  const undo: (() => Promise<void>)[] = [];
  before(function () {
    needsRedis(this);
  });
  after(async () => {
    for (const end of undo.reverse()) await end();
  });

  it('is left when it answers READONLY', async () => {
    const old = await ownRedis();
    undo.push(() => old.stop());
    const next = await ownRedis();
    undo.push(() => next.stop());
    const sentinel = await forgetfulSentinel(old.port);
    undo.push(() => sentinel.close());
    const { patient, close } = await serving(`m,127.0.0.1:${sentinel.port}`, { REDIS_TYPE: 'SENTINEL' });
    undo.push(close);
    const counts = async (): Promise<boolean> => (await ask(patient, 'phase', 'refused')) === 'OK';
    await eventually('a call counted in the old one', counts);
    expect(await old.client.keys('*phase_refused_*')).to.have.length(1);

    sentinel.masterPort = next.port;
    await old.client.replicaof('127.0.0.1', next.port);
    await eventually('a call counted in the new one', counts);
    expect(await next.client.keys('*phase_refused_*')).to.have.length(1);
    expect(await refusals(old)).to.be.above(0);
  });
});
