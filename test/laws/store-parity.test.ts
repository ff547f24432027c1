import { expect } from 'chai';
import fc from 'fast-check';
import { usedAfter } from '../../src/core/algorithm/fixed-window.ts';
import type { Hit, Reading, Refuses } from '../../src/core/decision.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { HOUR_US, hit, NOW_US, used } from '../contract/hit.ts';
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
  key: fc.constantFrom('a', 'b', 'c', 'd\udcff'),
  window: fc.nat(1),
  cost,
  limit: fc.constantFrom(0, 1, 5, 10, 2 ** 32 - 1),
  refuses: fc.constantFrom<Refuses>('alone', 'together', 'never'),
});
const oneRequest = fc.record({
  hits: fc.array(oneHit, { minLength: 1, maxLength: 4 }),
  charge: fc.constantFrom<Charge>('always', 'stop_when_over', 'only_if_admitted'),
  waits: fc.boolean(),
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
            const all: Promise<readonly Reading[]>[] = [];
            for (const { hits, charge, waits } of requests) {
              all.push(
                store
                  .take(
                    hits.map((h) => hitOf(h, run)),
                    charge,
                    NOW_US,
                  )
                  .then(whoever),
              );
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

/** Without who counted. */
function whoever(readings: readonly Reading[]): readonly Reading[] {
  return readings.map((reading) => (reading.kind === 'counted' ? { ...reading, by: 'memory' } : reading));
}

function hitOf(
  { key, window, ...options }: { key: string; window: number; cost: number; limit: number; refuses: Refuses },
  run: number,
): Hit {
  return { ...hit(`parity_${run}_${key}_${window}`, options), windowEndUs: NOW_US + (window + 1) * HOUR_US };
}
