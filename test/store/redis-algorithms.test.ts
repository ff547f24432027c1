import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import { limit } from '../../src/core/limit.ts';
import type { Charge, StoreError } from '../../src/core/ports.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { ALL_VERSIONS } from '../support/redis-versions.ts';

const HOUR_MS = HOUR_US / 1_000;

/** A bucket of 10 that regains one hit a minute. */
function perMinute(key: string, cost = 1): Hit {
  const algorithm = 'token_bucket';
  return { ...bucketHit(key, { cost }), limit: limit({ requestsPerUnit: 1, unit: 'minute', algorithm, burst: 10 }) };
}

for (const { name, program, needs } of ALL_VERSIONS) {
  describe(`${name} that counts by all algorithms`, () => {
    let server: OwnRedis;
    let store: RedisStore;
    before(async function () {
      needs(this);
      server = await ownRedis({ program });
      store = redisStore({ url: server.url, commandTimeoutMs: 10_000, expirationJitterMaxSeconds: 0 });
      await store.start();
      await eventually('the store to be connected', () => store.connected);
    });
    beforeEach(() => server.client.flushall());
    after(async () => {
      await store?.stop();
      await server?.stop();
    });

    async function told(hits: readonly Hit[], charge: Charge = 'always', atUs = NOW_US): Promise<readonly string[]> {
      const readings = await store.take(hits, charge, atUs);
      return readings.map((reading, i) => {
        const used = reading.kind === 'counted' ? reading.used : reading.because;
        return `${used}${tellsOver(reading, hits[i] as Hit) ? ' over' : ''}`;
      });
    }
    const life = (key: string): Promise<number> => server.client.pttl(key);
    const serverUs = async (): Promise<number> => {
      const [seconds, us] = await server.client.time();
      return Number(seconds) * 1_000_000 + Number(us);
    };

    it('keeps one key for a bucket and one for each window of a sliding window', async () => {
      const later = NOW_US + HOUR_US;
      await told([slidingHit('s'), bucketHit('b'), hit('f')]);
      await told([slidingHit('s', { atUs: later }), bucketHit('b')], 'always', later);
      expect((await server.client.keys('*')).sort()).to.deep.equal(['f', `{b}`, `{s}${NOW_US}`, `{s}${later}`].sort());
    });

    it('lets a sliding counter live two windows, from its last charge on', async () => {
      await told([slidingHit('s')]);
      expect(await life(`{s}${NOW_US}`)).to.be.within(2 * HOUR_MS - 60_000, 2 * HOUR_MS);
      await server.client.pexpire(`{s}${NOW_US}`, 60_000);
      await told([slidingHit('s', { cost: -1 }), slidingHit('s', { cost: 0 })]);
      expect(await life(`{s}${NOW_US}`)).to.be.within(1, 60_000);
      await told([slidingHit('s')]);
      expect(await life(`{s}${NOW_US}`)).to.be.within(2 * HOUR_MS - 60_000, 2 * HOUR_MS);
    });

    it('lets a bucket live until it is full, and a second more', async () => {
      await told([perMinute('b', 3)]);
      expect(await life('{b}')).to.be.within(120_000, 181_000);
      await told([perMinute('b', -2)]);
      expect(await life('{b}')).to.be.within(1, 61_000);
      await told([perMinute('b', -9)]);
      expect(await life('{b}')).to.be.at.most(1_000);
    });

    it('holds a bucket against the time of Redis, whatever the host believes', async () => {
      for (const hostUs of [NOW_US - 2_000_000, NOW_US + 2_000_000, 0]) {
        await server.client.flushall();
        expect(await told([perMinute('b', 10)], 'always', hostUs)).to.deep.equal(['10']);
        const [reading] = await store.take([perMinute('b')], 'always', hostUs + 3_600_000_000);
        expect(reading).to.include({ used: 10, charged: false, over: true });
        expect(reading?.resetAfterUs).to.be.within(1, 60_000_000);
        const [us, parts] = (await server.client.get('{b}'))?.split(':').map(Number) ?? [];
        expect((us as number) - (await serverUs())).to.be.within(9 * 60_000_000, 10 * 60_000_000);
        expect(parts).to.equal(0);
      }
    });

    it('admits at the promised time and not before: a bucket whose time has come by as much', async () => {
      await told([perMinute('b', 10)]);
      const [refused] = await store.take([perMinute('b')], 'always', NOW_US);
      const waits = refused?.resetAfterUs as number;
      const [us] = (await server.client.get('{b}'))?.split(':').map(Number) ?? [];
      // As it stands once that time has passed, but for what has passed since.
      await server.client.set('{b}', `${(us as number) - waits}:0`, 'EX', 60);
      expect(await told([perMinute('b')])).to.deep.equal(['10']);
      expect(await told([perMinute('b')])).to.deep.equal(['10 over']);
    });

    for (const charge of ['always', 'stop_when_over', 'only_if_admitted'] as const) {
      it(`lets nobody wait longer than a bucket takes to fill when a clock was ahead by 10 years: ${charge}`, async () => {
        const aheadUs = (await serverUs()) + 10 * 31_536_000_000_000;
        await server.client.set('{b}', `${aheadUs}:5`, 'EX', 60);
        const [look] = await store.take([{ ...perMinute('b'), cost: 0 }], charge, NOW_US);
        expect(look).to.include({ used: 10, charged: true });
        expect(await server.client.get('{b}')).to.equal(`${aheadUs}:5`);
        const [reading] = await store.take([perMinute('b'), hit('f')], charge, NOW_US);
        expect(reading).to.include({ used: 10, charged: false, over: true, resetAfterUs: 60_000_000 });
        const [us] = (await server.client.get('{b}'))?.split(':').map(Number) ?? [];
        expect((us as number) - (await serverUs())).to.be.within(9 * 60_000_000, 10 * 60_000_000);
      });
    }

    it('reads a negative sliding counter as 0, and one beyond every limit as over', async () => {
      await server.client.set(`{s}${NOW_US}`, '-5', 'EX', 60);
      expect(await told([slidingHit('s')])).to.deep.equal(['1']);
      await server.client.set(`{s}${NOW_US}`, '9223372036854775807', 'EX', 60);
      expect(await told([slidingHit('s')])).to.deep.equal(['4294967296 over']);
    });

    for (const [what, stored] of [
      ['no number', 'x'],
      ['half a bucket', '17952480'],
      ['a number of another kind', '1e3:0'],
      ['far too many digits', `${'9'.repeat(40)}:0`],
    ] as const) {
      it(`fails a hit whose counter is ${what}, and counts its neighbours`, async () => {
        await server.client.set('{b}', stored, 'EX', 60);
        const broken = store.take([bucketHit('b')], 'always', NOW_US).then(
          () => 'counted',
          (error: StoreError) => error.code,
        );
        const neighbour = told([bucketHit('c'), slidingHit('s')]);
        // Any other code would open a breaker for everybody.
        expect([await broken, await neighbour]).to.deep.equal(['counter', ['1', '1']]);
        expect(await server.client.get('{b}')).to.equal(stored);
      });
    }

    it('looks and refuses in the batch of a hit that a Redis without memory cannot count', async () => {
      await server.client.config('SET', 'maxmemory', '1');
      try {
        const tries = [
          ...[bucketHit('b', { cost: 0 }), bucketHit('b', { cost: 11 }), slidingHit('s', { cost: 11 })],
          ...[bucketHit('b'), slidingHit('s'), bucketHit('b', { cost: 0 })],
        ].map((each) =>
          told([each]).then(
            ([only]) => only,
            ({ code }: StoreError) => code,
          ),
        );
        expect(await Promise.all(tries)).to.deep.equal([
          ...['0', '0 over', '0 over'],
          ...['unavailable', 'unavailable', 'unavailable'],
        ]);
      } finally {
        await server.client.config('SET', 'maxmemory', '0');
      }
    });

    it('says that it is a replica, whatever it was to charge', async () => {
      for (const each of [hit('f'), bucketHit('b'), slidingHit('s')]) {
        await eventually('the store to be connected', () => store.connected);
        await server.client.replicaof('127.0.0.1', 1);
        const error = await told([each]).catch((thrown: StoreError) => thrown);
        await server.client.replicaof('NO', 'ONE');
        expect(error).to.include({ code: 'unavailable', message: 'Redis is a read-only replica' });
      }
    });

    it('fails a hit whose counter is a list, and charges no sibling of its group', async () => {
      await server.client.lpush(`{s}${NOW_US - HOUR_US}`, 'x');
      await server.client.lpush('{b}', 'x');
      for (const broken of [slidingHit('s'), bucketHit('b')]) {
        const failure = await store.take([broken, hit('f')], 'only_if_admitted', NOW_US).then(
          () => null,
          (error: StoreError) => error.code,
        );
        expect(failure).to.equal('counter');
      }
      expect(await server.client.exists('f')).to.equal(0);
    });

    async function callsOf(command: string): Promise<number> {
      const stats = String(await server.client.info('commandstats'));
      return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
    }

    it('reads and writes a counter once for 50 hits of a batch', async () => {
      await server.client.config('RESETSTAT');
      const hits = Array.from({ length: 50 }, () => [slidingHit('s', { limit: 30 }), perMinute('b')]).flat();
      const answers = await Promise.all(hits.map((each) => told([each])));
      expect(answers.flat().filter((answer) => !answer.includes('over'))).to.have.length(30 + 10);
      expect(store.stats.batches).to.be.greaterThan(0);
      // Of the sliding window both counters are read.
      expect([await callsOf('get'), await callsOf('set')]).to.deep.equal([3, 2]);
      expect(await server.client.get(`{s}${NOW_US}`)).to.equal('30');
    });

    it('sees what a batch made of the window before, when a clock goes back', async () => {
      const [before, after] = [NOW_US + HOUR_US - 1, NOW_US + HOUR_US];
      const look = () => told([slidingHit('s', { cost: 0, atUs: after })], 'always', after);
      const answers = [look(), told([slidingHit('s', { cost: 6, atUs: before })], 'always', before), look()];
      expect(await Promise.all(answers)).to.deep.equal([['0'], ['6'], ['6']]);
    });

    for (const [order, costs] of [
      ['a charge and then a refund', [3, -1]],
      ['a refund and then a charge', [-1, 2]],
    ] as const) {
      it(`lets counters live as after a charge when a batch has ${order}`, async () => {
        const all = costs.flatMap((cost) => [told([slidingHit('s', { cost })]), told([perMinute('b', cost)])]);
        await Promise.all(all);
        expect(await server.client.get(`{s}${NOW_US}`)).to.equal('2');
        expect(await life(`{s}${NOW_US}`)).to.be.within(2 * HOUR_MS - 60_000, 2 * HOUR_MS);
        expect(await life('{b}')).to.be.within(60_000, 121_000);
      });
    }

    it('makes no counter for a batch of refunds', async () => {
      await Promise.all([-1, -2].flatMap((cost) => [told([slidingHit('s', { cost })]), told([perMinute('b', cost)])]));
      expect(await server.client.keys('*')).to.deep.equal([]);
    });

    it('fails every hit whose counter it may not write, and counts its neighbours', async () => {
      await server.client.acl('SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-set');
      const reader = redisStore({ url: server.url, auth: 'reader:secret', commandTimeoutMs: 10_000 });
      await reader.start();
      await eventually('the reader to be connected', () => reader.connected);
      const all = [slidingHit('s'), hit('f'), slidingHit('s'), perMinute('b'), hit('f'), perMinute('b')];
      const answers = await Promise.all(
        all.map((each) =>
          reader.take([each], 'always', NOW_US).then(
            ([reading]) => (reading?.kind === 'counted' ? reading.used : reading?.because),
            (error: StoreError) => error.code,
          ),
        ),
      );
      await reader.stop();
      expect(answers).to.deep.equal(['script', 1, 'script', 'script', 2, 'script']);
      expect(await server.client.keys('*')).to.deep.equal(['f']);
    });

    it('counts a batch of 300 hits of all algorithms as if each had come alone', async () => {
      const all = Array.from({ length: 100 }, (_, i) => [
        hit(`f${i % 7}`, { limit: 1_000 }),
        slidingHit(`s${i % 7}`, { limit: 9 }),
        bucketHit(`b${i % 7}`, { limit: 9 }),
      ]);
      const answers = await Promise.all(all.map((hits, i) => told(hits, i % 2 ? 'always' : 'stop_when_over')));
      expect(store.stats.batches).to.be.greaterThan(0);
      const overs = answers.flat().filter((answer) => answer.includes('over'));
      // 100 hits on 7 keys of 9 each, twice; all the fixed windows have room.
      expect(overs.length).to.equal(2 * (100 - 7 * 9));
    });
  });
}
