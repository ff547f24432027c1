import { expect } from 'chai';
import fc from 'fast-check';
import { usedAfter } from '../../src/core/algorithm/fixed-window.ts';
import type { Hit, Reading, Refuses } from '../../src/core/decision.ts';
import type { Algorithm } from '../../src/core/limit.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { ALL_VERSIONS } from '../support/redis-versions.ts';
import { LAW_RUNS } from './runs.ts';

const edge = fc.constantFrom(MAX_HITS, MAX_HITS - 1, MAX_HITS - 2, 2 ** 52, 2 ** 52 + 1, 2 ** 32);
const cost = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -4, max: 6 }) },
  { weight: 1, arbitrary: edge },
  { weight: 1, arbitrary: edge.map((n) => -n) },
  { weight: 1, arbitrary: fc.integer({ min: MAX_HITS - 100, max: MAX_HITS }) },
);
const oneHit = fc.record({
  algorithm: fc.constantFrom<Algorithm>('fixed_window', 'fixed_window', 'sliding_window', 'token_bucket'),
  key: fc.constantFrom('a', 'b', 'c', 'd\udcff'),
  window: fc.nat(1),
  joins: fc.boolean(),
  cost,
  limit: fc.constantFrom(0, 1, 5, 10, 2 ** 32 - 1),
  refuses: fc.constantFrom<Refuses>('alone', 'together', 'never'),
});
const oneRequest = fc.record({
  hits: fc.array(oneHit, { minLength: 1, maxLength: 4 }),
  charge: fc.constantFrom<Charge>('always', 'stop_when_over', 'only_if_admitted'),
  waits: fc.boolean(),
  /** Up to three quarters of a window. */
  laterUs: fc.oneof(fc.constant(0), fc.nat(0.75 * HOUR_US)),
});

for (const { name, program, needs } of ALL_VERSIONS) {
  describe(`law of parity: TypeScript and Lua in ${name} count alike`, function () {
    this.timeout(60_000);
    let server: OwnRedis;
    let redis: RedisStore;
    before(async function () {
      needs(this);
      server = await ownRedis({ program });
      redis = redisStore({ url: server.url, commandTimeoutMs: 10_000 });
      await redis.start();
      await eventually('the store to be connected', () => redis.connected);
    });
    after(async () => {
      await redis?.stop();
      await server?.stop();
    });

    it('gives equal readings on 1,000 random sequences of requests, one by one and in batches', async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(oneRequest, { maxLength: 12 }), async (requests) => {
          run++;
          const memory = memoryStore({ maxKeys: 100 });
          const answers = async (store: Store) => {
            const all: Promise<readonly unknown[]>[] = [];
            let nowUs = NOW_US;
            for (const { hits, charge, waits, laterUs } of requests) {
              nowUs += laterUs;
              const asked = hitsOf(hits, run, nowUs);
              all.push(store.take(asked, charge, nowUs).then((readings) => alike(asked, readings)));
              if (waits) await all.at(-1);
            }
            return Promise.all(all);
          };
          expect(await answers(redis)).to.deep.equal(await answers(memory));
        }),
        { numRuns: LAW_RUNS },
      );
    });

    it('reads what other programs stored as the arithmetic does, poison included', async () => {
      const stored = fc.constantFrom('0', '7', '-1', '-9223372036854775808', '9223372036854775807', String(2n ** 53n));
      let run = 0;
      await fc.assert(
        fc.asyncProperty(stored, cost, async (text, n) => {
          const key = `poison_${run++}`;
          await server.client.set(key, text, 'EX', 60);
          const [reading] = used(await redis.take([hit(key, { cost: n })], 'always', NOW_US));
          expect(reading).to.equal(usedAfter(Number(text), n));
          const [again] = used(await redis.take([hit(key, { cost: 0 })], 'always', NOW_US));
          expect(again).to.equal(reading);
        }),
        { numRuns: Math.ceil(LAW_RUNS / 3) },
      );
    });
  });
}

/** Without who counted, and without what depends on the clock of a bucket's server. */
function alike(hits: readonly Hit[], readings: readonly Reading[]): readonly unknown[] {
  return readings.map((reading, i) => {
    const { by: _, resetAfterUs, ...told } = { by: null, ...reading };
    return hits[i]?.limit.algorithm === 'token_bucket' ? told : { ...told, resetAfterUs };
  });
}

type OneHit = typeof oneHit extends fc.Arbitrary<infer H> ? H : never;

function hitsOf(hits: readonly OneHit[], run: number, nowUs: number): readonly Hit[] {
  let of = -1;
  return hits.map(({ algorithm, key: name, window, joins, limit, ...options }) => {
    const key = `parity_${run}_${algorithm}_${name}`;
    // Several limits of one descriptor stand beside each other.
    if (!joins || of < 0) of++;
    if (algorithm === 'sliding_window') return slidingHit(key, { ...options, of, limit, atUs: nowUs });
    // A year for each of more than a hundred is beyond what a bucket can tell.
    if (algorithm === 'token_bucket') return bucketHit(key, { ...options, of, limit: Math.min(limit, 100) });
    const endUs = nowUs - (nowUs % HOUR_US) + (window + 1) * HOUR_US;
    return { ...hit(`${key}_${endUs}`, { ...options, of, limit }), windowEndUs: endUs };
  });
}
