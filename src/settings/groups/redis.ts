import { integerBetween, oneOf } from '../go-values.ts';
import {
  atLeastOne,
  atLeastOneMs,
  bool,
  COUNT_MOST,
  duration,
  inGroup,
  optional,
  optionalText,
  path,
  secret,
  setting,
} from '../setting.ts';

const MOST_CONNECTIONS = 1_000;

export const REDIS = inGroup('Redis', {
  redisUrl: setting(
    'REDIS_URL',
    'url',
    '',
    optionalText,
    'host:port, redis://user:password@host:port/db, or the path of a socket. Sentinel: master,host:port,... Cluster: host:port,...',
  ),
  redisType: redisType('REDIS_TYPE', 'What REDIS_URL names. Single when not set.'),
  redisSocketType: socketType('REDIS_SOCKET_TYPE', 'Told from REDIS_URL when not set.'),
  redisAuth: secret('REDIS_AUTH', 'password, or user:password. Beats the URL.'),
  redisAuthFile: path('REDIS_AUTH_FILE', 'A file that holds the same, read again at each dial. Beats REDIS_AUTH.'),
  redisSentinelAuth: secret('REDIS_SENTINEL_AUTH', 'password, or user:password, of the sentinels themselves.'),
  redisSentinelAuthFile: path('REDIS_SENTINEL_AUTH_FILE', 'A file that holds the same, read again at each dial.'),
  redisDb: setting(
    'REDIS_DB',
    'number',
    '',
    optional(integerBetween(0, COUNT_MOST)),
    'Database. Beats the one in the URL.',
  ),
  redisTls: bool('REDIS_TLS', false, 'Speak TLS, to sentinels too. rediss:// asks for it as well.'),
  redisTlsCa: path('REDIS_TLS_CACERT', 'PEM file of the authorities to trust, in place of those of the system.'),
  redisTlsCert: path('REDIS_TLS_CLIENT_CERT', 'PEM file of our own certificate, read again at each dial.'),
  redisTlsKey: path('REDIS_TLS_CLIENT_KEY', 'PEM file of its key.'),
  redisTlsSkipHostname: bool(
    'REDIS_TLS_SKIP_HOSTNAME_VERIFICATION',
    false,
    'Take a certificate for another name. Its chain is verified all the same.',
  ),
  redisPoolSize: poolSize(
    'REDIS_POOL_SIZE',
    'Connections to each server, used in turn by batches. One carries all hits of a turn of the event loop together, so more seldom help.',
  ),
  redisPipelineWindowMs: duration(
    'REDIS_PIPELINE_WINDOW',
    '0',
    'Collect hits for that long, in whole milliseconds; 0 is one turn of the event loop. Shorter than REDIS_COMMAND_TIMEOUT.',
  ),
  redisConnectTimeoutMs: duration(
    'REDIS_TIMEOUT',
    '10s',
    'How long connecting may take; with Sentinel and Cluster at most 1s for each server that is tried.',
  ),
  redisCommandTimeoutMs: setting(
    'REDIS_COMMAND_TIMEOUT',
    'duration',
    '100ms',
    atLeastOneMs,
    'How long a call may wait for Redis, the pipeline window and all round trips together; then it fails.',
  ),
  redisMaxBatchHits: setting(
    'REDIS_MAX_BATCH_HITS',
    'number',
    1024,
    atLeastOne,
    'Hits that go to Redis together. A request with more of them goes alone.',
  ),
  redisMaxBatchesInFlight: setting(
    'REDIS_MAX_BATCHES_IN_FLIGHT',
    'number',
    128,
    atLeastOne,
    'Batches that Redis has not answered; beyond it calls are RESOURCE_EXHAUSTED, or fail once one of them is late.',
  ),
  perSecond: bool(
    'REDIS_PERSECOND',
    false,
    'Count limits per second in a Redis of their own, named by the settings below.',
  ),
  perSecondUrl: setting('REDIS_PERSECOND_URL', 'url', '', optionalText, 'As REDIS_URL.'),
  perSecondType: redisType('REDIS_PERSECOND_TYPE', 'As REDIS_TYPE.'),
  perSecondSocketType: socketType('REDIS_PERSECOND_SOCKET_TYPE', 'As REDIS_SOCKET_TYPE.'),
  perSecondAuth: secret('REDIS_PERSECOND_AUTH', 'As REDIS_AUTH.'),
  perSecondAuthFile: path('REDIS_PERSECOND_AUTH_FILE', 'As REDIS_AUTH_FILE.'),
  perSecondSentinelAuth: secret('REDIS_PERSECOND_SENTINEL_AUTH', 'As REDIS_SENTINEL_AUTH.'),
  perSecondSentinelAuthFile: path('REDIS_PERSECOND_SENTINEL_AUTH_FILE', 'As REDIS_SENTINEL_AUTH_FILE.'),
  perSecondTls: bool('REDIS_PERSECOND_TLS', false, 'As REDIS_TLS; the files are those of REDIS_TLS_*.'),
  perSecondPoolSize: poolSize('REDIS_PERSECOND_POOL_SIZE', 'As REDIS_POOL_SIZE.'),
  perSecondPipelineWindowMs: duration('REDIS_PERSECOND_PIPELINE_WINDOW', '0', 'As REDIS_PIPELINE_WINDOW.'),
  perSecondConnectTimeoutMs: duration('REDIS_PERSECOND_TIMEOUT', '10s', 'As REDIS_TIMEOUT.'),
});

function redisType(env: string, doc: string) {
  return setting(env, 'single|sentinel|cluster', '', optional(oneOf('single', 'sentinel', 'cluster')), doc);
}

function socketType(env: string, doc: string) {
  return setting(env, 'tcp|unix', '', optional(oneOf('tcp', 'unix')), doc);
}

function poolSize(env: string, doc: string) {
  return setting(env, 'number', 1, integerBetween(1, MOST_CONNECTIONS), doc);
}
