import { acrossStores } from '../../src/store/across-stores.ts';
import { breaker } from '../../src/store/breaker.ts';
import { byUnit } from '../../src/store/by-unit.ts';
import { failurePolicy } from '../../src/store/failure-policy.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { overLimitCache } from '../../src/store/over-limit-cache.ts';
import { overload } from '../../src/store/overload.ts';
import { redisStore } from '../../src/store/redis/redis-store.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { ownCluster } from '../support/redis-cluster.ts';
import { ownSentinel } from '../support/redis-sentinel.ts';
import { NOW_US } from './hit.ts';
import { type StoreUnderTest, storeContract } from './store.ts';

async function memory(): Promise<StoreUnderTest> {
  let inner = memoryStore();
  return {
    store: { take: (...args) => inner.take(...args) },
    keys: async () => inner.size,
    clear: async () => {
      inner = memoryStore({ maxKeys: 1_000 });
    },
    stop: async () => {},
  };
}

async function redis(): Promise<StoreUnderTest> {
  const server = await ownRedis();
  // The suite is about counts; a slow machine must not turn them into timeouts.
  const store = redisStore({ url: server.url, commandTimeoutMs: 10_000 });
  await store.start();
  await eventually('the store to be connected', () => store.connected);
  return {
    store,
    keys: () => server.client.dbsize(),
    clear: async () => void (await server.client.flushall()),
    stop: async () => {
      await store.stop();
      await server.stop();
    },
  };
}

async function sentinel(): Promise<StoreUnderTest> {
  const own = await ownSentinel();
  const store = redisStore({ url: own.url, type: 'sentinel', commandTimeoutMs: 10_000 });
  await store.start();
  await eventually('the store to be connected', () => store.connected);
  const { client } = await own.master();
  return {
    store,
    keys: () => client.dbsize(),
    clear: async () => void (await client.flushall()),
    stop: async () => {
      await store.stop();
      await own.stop();
    },
  };
}

async function cluster(): Promise<StoreUnderTest> {
  const own = await ownCluster();
  const store = redisStore({ url: own.url, type: 'cluster', commandTimeoutMs: 10_000 });
  await store.start();
  await eventually('every master to be connected', () => store.connected);
  const masters = own.client.nodes('master');
  return {
    store,
    keys: async () => (await Promise.all(masters.map((node) => node.dbsize()))).reduce((sum, keys) => sum + keys, 0),
    clear: async () => void (await Promise.all(masters.map((node) => node.flushall()))),
    stop: async () => {
      await store.stop();
      await own.stop();
    },
  };
}

async function cached(made: Promise<StoreUnderTest>): Promise<StoreUnderTest> {
  const inner = await made;
  let cache = overLimitCache(inner.store, { maxBytes: 0 });
  return {
    ...inner,
    store: { take: (...args) => cache.take(...args) },
    clear: async () => {
      cache = overLimitCache(inner.store, { maxBytes: 0 });
      await inner.clear();
    },
  };
}

/** Neighbours in the alphabet are counted in different stores. */
async function across(): Promise<StoreUnderTest> {
  let both = [memoryStore(), memoryStore()] as const;
  const odd = (key: string): boolean => key.charCodeAt(0) % 2 === 1;
  const store = acrossStores({ route: ({ key }) => both[odd(key) ? 1 : 0] });
  return {
    store,
    keys: async () => both[0].size + both[1].size,
    clear: async () => {
      both = [memoryStore({ maxKeys: 1_000 }), memoryStore({ maxKeys: 1_000 })];
    },
    stop: async () => {},
  };
}

/** As the service has them around every store: breaker inside, then the failure policy, then the bound on lag. */
async function guarded(made: Promise<StoreUnderTest>): Promise<StoreUnderTest> {
  const inner = await made;
  const broken = breaker(inner.store, { clock: { nowUs: () => NOW_US }, random: () => 0.5 });
  const policed = failurePolicy(broken, { policy: 'local', localShare: 1 });
  return { ...inner, store: overload(policed, { lagMs: () => 0, maxLagMs: 1 }) };
}

async function twoByUnit(): Promise<StoreUnderTest> {
  const [main, seconds] = [await memory(), await memory()];
  return {
    ...main,
    store: byUnit({ main: main.store, perSecond: seconds.store }),
    keys: async () => (await main.keys()) + (await seconds.keys()),
  };
}

const cannot = { 'counts what is over': 'a key known to be over is answered without counting' } as const;
const unordered = { 'keeps order': 'a request looks at all stores before it is charged' } as const;

storeContract('memory', memory);
storeContract('memory behind the over-limit cache', () => cached(memory()), { cannot });
storeContract('two memory stores', across, { cannot: unordered });
storeContract('two memory stores behind the over-limit cache', () => cached(across()), {
  cannot: { ...cannot, ...unordered },
});
storeContract('memory behind breaker, failure policy and overload', () => guarded(memory()));
storeContract('two memory stores by unit', twoByUnit);
storeContract('redis', redis, { needs: needsRedis });
storeContract('redis behind the over-limit cache', () => cached(redis()), { needs: needsRedis, cannot });
storeContract('redis behind breaker, failure policy and overload', () => guarded(redis()), { needs: needsRedis });
storeContract('redis behind sentinels', sentinel, { needs: needsRedis });
storeContract('redis cluster', cluster, { needs: needsRedis, cannot: unordered });
