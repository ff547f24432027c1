import { integerBetween, oneOf } from '../go-values.ts';
import { atLeastOne, bool, count, duration, inGroup, optional, path, secret, setting, text } from '../setting.ts';

export const STORE = inGroup('Store', {
  backendType: setting(
    'BACKEND_TYPE',
    'redis|memory',
    '',
    optional(backend),
    'Where hits are counted. Redis when this, REDIS_URL or REDIS_TYPE names it, else memory.',
  ),
  storeFailure: setting(
    'STORE_FAILURE',
    'error|allow|deny|local',
    'error',
    oneOf('error', 'allow', 'deny', 'local'),
    'The answer while the store cannot count, for rules without on_store_failure.',
  ),
  localFallbackShare: setting(
    'LOCAL_FALLBACK_SHARE',
    'number',
    1,
    atLeastOne,
    'With local: limits are divided by this, rounded up. The number of weir services; each divides among its WORKERS.',
  ),
  redisHealthCheck: bool(
    'REDIS_HEALTH_CHECK_ACTIVE_CONNECTION',
    false,
    '/healthcheck follows the connection to Redis.',
  ),
  expirationJitterMaxSeconds: setting(
    'EXPIRATION_JITTER_MAX_SECONDS',
    'seconds',
    300,
    count,
    'Counters live up to this much longer than their window.',
  ),
  overLimitCacheBytes: setting(
    'LOCAL_CACHE_SIZE_IN_BYTES',
    'bytes',
    0,
    count,
    'Remember keys that are over, and answer for them without Redis. 0 is off.',
  ),
  overLimitCacheEntries: setting(
    'OVER_LIMIT_CACHE_ENTRIES',
    'number',
    0,
    count,
    'The same with a number of keys, in place of bytes or beside them. 0 is off.',
  ),
  overLimitCacheMaxAgeMs: duration(
    'OVER_LIMIT_CACHE_MAX_AGE',
    '1s',
    'How long it answers before Redis is asked again: what another process refunds may be refused for so long.',
  ),
  memoryMaxKeys: setting(
    'MEMORY_MAX_KEYS',
    'number',
    1_000_000,
    integerBetween(1, 16_000_000),
    'Counters in the memory store; then the least recently used goes.',
  ),
  keyPrefix: setting('CACHE_KEY_PREFIX', 'text', '', text, 'Goes before every counter key.'),
  keyFormat: setting(
    'KEY_FORMAT',
    'go|escaped',
    'go',
    oneOf('go', 'escaped'),
    'go: limits that say nothing which the Go service does not know have its keys. escaped: none has; no two descriptors ever share a counter.',
  ),
  hashSecret: secret(
    'HASH_VALUE_SECRET',
    'Rules with `hash_value` need it: the key of their hash, the same in every process.',
  ),
  hashSecretFile: path('HASH_VALUE_SECRET_FILE', 'A file with that secret, in its place.'),
});

function backend(value: string): 'redis' | 'memory' {
  if (value.toLowerCase() === 'memcache') {
    throw new Error('memcache is not supported; count in Redis (redis, with REDIS_URL) or in this process (memory)');
  }
  return oneOf('redis', 'memory')(value);
}
