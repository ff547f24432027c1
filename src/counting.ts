import type { Part, Store } from './core/ports.ts';
import { type Guard, guard } from './guard.ts';
import { SETTINGS, type Settings } from './settings/settings.ts';
import { byUnit } from './store/by-unit.ts';
import { deadline } from './store/deadline.ts';
import { memoryStore } from './store/memory.ts';
import { overLimitCache } from './store/over-limit-cache.ts';
import { type RedisStore, type RedisStoreOptions, redisStore } from './store/redis/redis-store.ts';
import { redactedUrl } from './store/redis/target.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/trace/tracing.ts';

/** Who counts, and what others may ask of it. */
export interface Counting {
  readonly store: Store;
  readonly kind: 'redis' | 'memory';
  /** For the start line. */
  readonly where: string;
  readonly parts: readonly Part[];
  readonly everAnswered: () => boolean;
  /** Would a hit be counted now? Asked below breakers and whatever answers in place of the store. */
  readonly reachableNow: () => Promise<boolean>;
}

/** Where the Go service looks for Redis when nobody says where it is. */
const DEFAULT_REDIS_URL = '/var/run/nutcracker/ratelimit.sock';

const DEFAULT_PER_SECOND_URL = '/var/run/nutcracker/ratelimitpersecond.sock';

/** Below the prefix; a counter's key ends in a number, so it is none. */
const READINESS_KEY = 'weir_readiness';

/** As metrics know them, in the order of `redisPlaces`. */
const REDIS_NAMES = ['main', 'per_second'] as const;

/** Redis when it is named, else memory. Throws an Error with a sentence when its settings do not fit together. */
export function counting(settings: Settings, metrics: Metrics, log: Log, tracing: Tracing | null = null): Counting {
  const guarded = guard(settings, metrics, log);
  const chosen = wantsRedis(settings) ? inRedis(settings, metrics, log, guarded, tracing) : inMemory(settings);
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

export function wantsRedis({ backendType, redisUrl, redisType }: Settings): boolean {
  return backendType === 'redis' || (backendType === null && (redisUrl !== null || redisType !== null));
}

/** Why so many workers can't count; null when they can. */
export function workersRefusal(settings: Settings): string | null {
  if (settings.workers === 1 || wantsRedis(settings)) return null;
  const set = `${SETTINGS.workers.env} is ${settings.workers}`;
  return `${set}, and each worker would admit the whole limit, counting in its own memory: name a Redis`;
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

/** Both Redises, or the one that counts all. */
export function redisPlaces(settings: Settings): readonly RedisStoreOptions[] {
  const shared = {
    tlsFiles: {
      ca: settings.redisTlsCa ?? undefined,
      cert: settings.redisTlsCert ?? undefined,
      key: settings.redisTlsKey ?? undefined,
      skipHostname: settings.redisTlsSkipHostname,
    },
    commandTimeoutMs: settings.redisCommandTimeoutMs,
    maxBatchHits: settings.redisMaxBatchHits,
    maxBatchesInFlight: settings.redisMaxBatchesInFlight,
    expirationJitterMaxSeconds: settings.expirationJitterMaxSeconds,
  };
  const main: RedisStoreOptions = {
    ...shared,
    url: settings.redisUrl ?? DEFAULT_REDIS_URL,
    type: settings.redisType ?? undefined,
    socketType: settings.redisSocketType ?? undefined,
    auth: settings.redisAuth ?? undefined,
    authFile: settings.redisAuthFile ?? undefined,
    sentinelAuth: settings.redisSentinelAuth ?? undefined,
    sentinelAuthFile: settings.redisSentinelAuthFile ?? undefined,
    db: settings.redisDb ?? undefined,
    tls: settings.redisTls,
    poolSize: settings.redisPoolSize,
    windowMs: Math.ceil(settings.redisPipelineWindowMs),
    connectTimeoutMs: settings.redisConnectTimeoutMs,
  };
  if (!settings.perSecond) return [main];
  const perSecond: RedisStoreOptions = {
    ...shared,
    url: settings.perSecondUrl ?? DEFAULT_PER_SECOND_URL,
    type: settings.perSecondType ?? undefined,
    socketType: settings.perSecondSocketType ?? undefined,
    auth: settings.perSecondAuth ?? undefined,
    authFile: settings.perSecondAuthFile ?? undefined,
    sentinelAuth: settings.perSecondSentinelAuth ?? undefined,
    sentinelAuthFile: settings.perSecondSentinelAuthFile ?? undefined,
    tls: settings.perSecondTls,
    poolSize: settings.perSecondPoolSize,
    windowMs: Math.ceil(settings.perSecondPipelineWindowMs),
    connectTimeoutMs: settings.perSecondConnectTimeoutMs,
  };
  return [main, perSecond];
}

/** For the start line, without passwords. */
export function redisInWords(settings: Settings): string {
  const [main, perSecond] = redisPlaces(settings).map(({ url }) => redactedUrl(url));
  return `Redis at ${main}${perSecond === undefined ? '' : `, for limits per second at ${perSecond}`}`;
}

function inRedis(settings: Settings, metrics: Metrics, log: Log, { server }: Guard, tracing: Tracing | null): Counting {
  const stores = redisPlaces(settings).map((place) => observedStore({ ...place, guard: server }, metrics, log));
  const [main, perSecond] = stores as [RedisStore, RedisStore?];
  metrics.read({
    redis: () => stores.map(({ connections, stats }, i) => ({ ...stats, connections, name: REDIS_NAMES[i] as string })),
  });
  const told = (store: Store, i: number): Store => tracing?.redis(store, REDIS_NAMES[i] as string) ?? store;
  return {
    store:
      perSecond === undefined
        ? told(main, 0)
        : deadline(byUnit({ main: told(main, 0), perSecond: told(perSecond, 1) }), {
            timeoutMs: settings.redisCommandTimeoutMs,
          }),
    kind: 'redis',
    where: redisInWords(settings),
    parts: stores,
    everAnswered: () => stores.every((store) => store.everAnswered),
    reachableNow: () =>
      Promise.all(stores.map((store) => store.countsNow(settings.keyPrefix + READINESS_KEY))).then(
        () => true,
        () => false,
      ),
  };
}

function observedStore(place: RedisStoreOptions, metrics: Metrics, log: Log): RedisStore {
  const store: RedisStore = redisStore({
    ...place,
    onBatch: (hits, tookUs) => metrics.storeAnswered(tookUs, hits),
    onConnected: () => {
      // What happened before is told before.
      log.flush();
      log.logger.info('Redis is there: %s', store.address);
    },
    onDisconnected: (cause, { server, wasReady }) => {
      const one = wasReady ? 'a connection to Redis was lost' : 'a connection to Redis could not be made';
      const where = server ?? store.address;
      const what = `${store.connected ? one : 'Redis is not there'}: ${where}`;
      log.trouble(`redis ${where}`, what, { cause: cause?.message ?? 'connection closed' });
    },
  });
  return store;
}
