import type { Part, Store } from './core/ports.ts';
import { type Guard, guard } from './guard.ts';
import type { Settings } from './settings.ts';
import { memoryStore } from './store/memory.ts';
import { overLimitCache } from './store/over-limit-cache.ts';
import { type RedisStore, redisStore } from './store/redis/redis-store.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Who counts, and what others may ask of it. */
export interface Counting {
  readonly store: Store;
  readonly kind: 'redis' | 'memory';
  /** For the start line. */
  readonly where: string;
  readonly parts: readonly Part[];
  readonly everAnswered: () => boolean;
  readonly reachableNow: () => Promise<boolean>;
}

/** Where the Go service looks for Redis when nobody says where it is. */
const DEFAULT_REDIS_URL = '/var/run/nutcracker/ratelimit.sock';

/** Redis when it is named, else memory. Throws an Error with a sentence when its settings do not fit together. */
export function counting(settings: Settings, metrics: Metrics, log: Log): Counting {
  const guarded = guard(settings, metrics, log);
  const chosen = wantsRedis(settings) ? inRedis(settings, metrics, log, guarded) : inMemory(settings);
  const store = guarded.outermost(withCache(chosen.store, settings, metrics));
  return { ...chosen, store, parts: [...guarded.parts, ...chosen.parts] };
}

function withCache(store: Store, settings: Settings, metrics: Metrics): Store {
  const { overLimitCacheBytes, overLimitCacheEntries, overLimitCacheMaxAgeMs } = settings;
  if (overLimitCacheBytes === 0 && overLimitCacheEntries === 0) return store;
  const cache = overLimitCache(store, {
    maxBytes: overLimitCacheBytes || undefined,
    maxEntries: overLimitCacheEntries || undefined,
    maxAgeMs: overLimitCacheMaxAgeMs,
  });
  metrics.read({
    localCache: () => ({
      entries: cache.stats.entryCount,
      lookups: cache.stats.lookupCount,
      hits: cache.stats.hitCount,
      misses: cache.stats.missCount,
      expired: cache.stats.expiredCount,
      evacuated: cache.stats.evacuateCount,
      overwritten: cache.stats.overwriteCount,
    }),
  });
  return cache;
}

function wantsRedis({ backendType, redisUrl, redisType }: Settings): boolean {
  return backendType === 'redis' || (backendType === null && (redisUrl !== null || redisType !== null));
}

function inMemory({ memoryMaxKeys }: Settings): Counting {
  return {
    store: memoryStore({ maxKeys: memoryMaxKeys }),
    kind: 'memory',
    where: 'memory of this process',
    parts: [],
    everAnswered: () => true,
    reachableNow: async () => true,
  };
}

function inRedis(settings: Settings, metrics: Metrics, log: Log, { server }: Guard): Counting {
  const store: RedisStore = redisStore({
    url: settings.redisUrl ?? DEFAULT_REDIS_URL,
    type: settings.redisType ?? undefined,
    socketType: settings.redisSocketType ?? undefined,
    auth: settings.redisAuth ?? undefined,
    connectTimeoutMs: settings.redisConnectTimeoutMs,
    commandTimeoutMs: settings.redisCommandTimeoutMs,
    maxBatchHits: settings.redisMaxBatchHits,
    maxBatchesInFlight: settings.redisMaxBatchesInFlight,
    expirationJitterMaxSeconds: settings.expirationJitterMaxSeconds,
    onBatch: (hits, tookUs) => metrics.storeAnswered(tookUs, hits),
    onConnected: () => log.logger.info('Redis is there: %s', store.address),
    onDisconnected: (cause) =>
      log.trouble('redis', `Redis is not there: ${store.address}`, { cause: cause?.message ?? 'connection closed' }),
  });
  return {
    store: server(store),
    kind: 'redis',
    where: `Redis at ${store.address}`,
    parts: [store],
    everAnswered: () => store.everAnswered,
    reachableNow: () =>
      store.ping().then(
        () => true,
        () => false,
      ),
  };
}
