/**
 * Figures of the stores, for people: `npx tsx --expose-gc test/store/measure.ts [memory|redis]`.
 * Times depend on the machine and on what else runs there; nothing is asserted.
 */
import type { Hit } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { redisStore } from '../../src/store/redis/redis-store.ts';
import { eventually } from '../support/eventually.ts';
import { cpuMs, ownRedis } from '../support/redis.ts';

const NOW_US = 1_795_248_000_000_000;
const LIMIT = limit({ requestsPerUnit: 100, unit: 'hour' });

/** As `plan` makes it: the key is put together anew for each request. */
function hit(value: number): Hit {
  return {
    of: 0,
    previousKey: '',
    key: `${'edge'}_${`remote_address_10.0.${value}_path_/api/v1_`}${1_795_248_000}`,
    limit: LIMIT,
    cost: 1,
    windowSeconds: 3_600,
    windowEndUs: NOW_US + 3_600_000_000,
    shadow: false,
    refuses: 'alone',
    onStoreFailure: null,
  };
}

async function memory(): Promise<void> {
  const before = rssMb();
  const million = memoryStore();
  for (let i = 0; i < 1_000_000; i++) void million.take([hit(i)], 'always', NOW_US);
  console.log(`memory: 1,000,000 keys, RSS ${rssMb()} MB after ${before} MB`);
  globalThis.gc?.();
  console.log(`memory: the same after a collection, ${rssMb()} MB`);
  for (const keys of [100, 10_000, 1_000_000]) {
    const store = keys === 1_000_000 ? million : memoryStore();
    const calls = 2_000_000;
    for (let i = 0; i < 200_000; i++) void store.take([hit(i % keys)], 'always', NOW_US);
    const start = process.cpuUsage();
    for (let i = 0; i < calls; i++) await store.take([hit((i * 7_919) % keys)], 'always', NOW_US);
    console.log(`memory: ${perCallNs(start, calls)} ns CPU a call on ${keys} keys, key text and await included`);
  }
  const full = memoryStore({ maxKeys: 100_000 });
  const start = process.cpuUsage();
  for (let i = 0; i < 1_000_000; i++) void full.take([hit(i)], 'always', NOW_US);
  console.log(`memory: ${perCallNs(start, 1_000_000)} ns CPU a call when each new key pushes out an old one`);
}

async function redis(): Promise<void> {
  const server = await ownRedis();
  const store = redisStore({ url: server.url });
  await store.start();
  await eventually('Redis', () => store.everAnswered);
  for (const [inFlight, calls, charge, size] of [
    [256, 50_000, 'always', 1],
    [256, 500_000, 'always', 1],
    [32, 200_000, 'always', 1],
    [1, 20_000, 'always', 1],
    [256, 200_000, 'always', 2],
    [256, 200_000, 'stop_when_over', 2],
    [256, 200_000, 'only_if_admitted', 2],
  ] as const) {
    const { batches, hits } = store.stats;
    const start = process.cpuUsage();
    const startedAt = performance.now();
    const redisBefore = await cpuMs(server.pid);
    let left = calls;
    const caller = async () => {
      while (left-- > 0) {
        const hits = Array.from({ length: size }, (_, i) => hit((left + i) % 5_000));
        await store.take(hits, charge, NOW_US);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    const redisUs = (((await cpuMs(server.pid)) - redisBefore) * 1_000) / calls;
    const perBatch = (store.stats.hits - hits) / (store.stats.batches - batches);
    const rate = Math.round((calls / (performance.now() - startedAt)) * 1_000);
    const text = `${perCallNs(start, calls) / 1_000} us of Node and ${redisUs.toFixed(2)} us of Redis a request`;
    console.log(
      `redis: ${charge}, ${size} hits, ${inFlight} in flight, ${text}, ${perBatch.toFixed(1)} hits a batch, ${rate} a second`,
    );
  }
  await store.stop();
  await server.stop();
}

function perCallNs(start: NodeJS.CpuUsage, calls: number): number {
  const { user, system } = process.cpuUsage(start);
  return Math.round(((user + system) * 1_000) / calls);
}

function rssMb(): number {
  return Math.round(process.memoryUsage().rss / 1_048_576);
}

const which = process.argv[2];
if (which !== 'redis') await memory();
if (which !== 'memory') await redis();
