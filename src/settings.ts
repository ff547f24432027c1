import { parseArgs } from 'node:util';
import { REQUEST_BOUNDS } from './core/request.ts';
import { endsTheGoService, withoutEffect } from './go-names.ts';
import {
  goBoolean,
  goDurationMs,
  goList,
  hostAndPort,
  integerBetween,
  MOST_GO_HOURS,
  numberBetween,
  oneOf,
  pairs,
} from './go-values.ts';
import { type MogrifierSetting, readMogrifiers } from './mogrifiers.ts';

/** One knob. The flag is the environment name in lower case with dashes. */
interface Setting<T> {
  readonly env: string;
  readonly group: string;
  readonly doc: string;
  /** As it would be written in the environment; '' stands for "not set". */
  readonly default: string;
  readonly parse: (text: string) => T;
  /** What a value looks like, in the help: `duration`, `true|false`. */
  readonly form: string;
}

const text = (value: string): string => value;
const optionalText = (value: string): string | null => (value === '' ? null : value);
const absolutePath = (value: string): string => {
  if (!value.startsWith('/')) throw new Error('expected a path that starts with /');
  return value;
};
/** A token of RFC 9110, section 5.6.2, or nothing. */
const headerName = (value: string): string => {
  if (!/^[\w!#$%&'*+.^`|~-]*$/.test(value)) throw new Error('expected the name of an HTTP header');
  return value;
};
const EMPTY_IS_A_VALUE: ReadonlySet<unknown> = new Set([text, headerName]);
const port = integerBetween(0, 65_535);
const COUNT_MOST = 1_000_000_000;
const count = integerBetween(0, COUNT_MOST);
const atLeastOne = integerBetween(1, COUNT_MOST);

function setting<T>(env: string, form: string, fallback: string, parse: (text: string) => T, doc: string) {
  return { env, form, default: fallback, parse, doc };
}
function inGroup<T extends Record<string, object>>(group: string, settings: T) {
  const named = Object.entries(settings).map(([name, setting]) => [name, { ...setting, group }]);
  return Object.fromEntries(named) as { readonly [K in keyof T]: T[K] & { readonly group: string } };
}
/** A time that is up at once makes every call fail. */
const atLeastOneMs = (value: string): number => {
  const ms = goDurationMs(value);
  if (ms < 1) throw new Error('expected a duration of at least 1ms');
  return ms;
};

const bool = (env: string, fallback: boolean, doc: string) =>
  setting(env, 'true|false', String(fallback), goBoolean, doc);
const duration = (env: string, fallback: string, doc: string) => setting(env, 'duration', fallback, goDurationMs, doc);
const path = (env: string, doc: string) => setting(env, 'path', '', optionalText, doc);
const secret = (env: string, doc: string) => setting(env, 'secret', '', optionalText, doc);
const redisType = (env: string, doc: string) =>
  setting(env, 'single|sentinel|cluster', '', optional(oneOf('single', 'sentinel', 'cluster')), doc);
const socketType = (env: string, doc: string) => setting(env, 'tcp|unix', '', optional(oneOf('tcp', 'unix')), doc);
const MOST_CONNECTIONS = 1_000;
/** What the kernel takes for the address of a unix socket, in bytes. */
const MOST_SOCKET_PATH = 107;
const socketPath = (value: string): string | null => {
  if (value.startsWith('@')) throw new Error('expected the path of a file; abstract sockets are not supported');
  if (Buffer.byteLength(value) > MOST_SOCKET_PATH)
    throw new Error(`expected a path of at most ${MOST_SOCKET_PATH} bytes`);
  return optionalText(value);
};
const backend = (value: string) => {
  if (value.toLowerCase() === 'memcache') {
    throw new Error('memcache is not supported; count in Redis (redis, with REDIS_URL) or in this process (memory)');
  }
  return oneOf('redis', 'memory')(value);
};
/** OpenSSL takes a name with a dot in front for all names that end so. */
const certificateName = (value: string): string => {
  if (/^\.|\s/.test(value)) throw new Error('expected a DNS name or an IP address');
  return value;
};
/** For what may well take longer than any timer of Node. */
const longDuration = (env: string, fallback: string, doc: string) =>
  setting(env, 'duration', fallback, (value) => goDurationMs(value, MOST_GO_HOURS), doc);
const poolSize = (env: string, doc: string) => setting(env, 'number', '1', integerBetween(1, MOST_CONNECTIONS), doc);

/** gRPC takes these and no others; a value may hold a token, so it is never told. */
const grpcHeaders = (value: string): Readonly<Record<string, string>> => {
  const headers = pairs(':')(value);
  for (const [name, text] of Object.entries(headers)) {
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(text)) throw new Error('expected values of printable ASCII');
  }
  return headers;
};

/** Of an exporter: as gRPC takes them, the values percent-encoded as the OpenTelemetry specification has them. */
const exporterHeaders = (value: string): Readonly<Record<string, string>> => {
  const entries = Object.entries(pairs('=')(value)).map(([name, text]) => {
    let decoded: string;
    try {
      decoded = decodeURIComponent(text);
    } catch {
      throw new Error('expected values in percent-encoding');
    }
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(decoded)) throw new Error('expected values of printable ASCII');
    return [name.toLowerCase(), decoded];
  });
  return Object.fromEntries(entries);
};
/** With a scheme, or `host:port` alone. It may hold a password, so it is never told. */
const endpoint = (value: string): string | null => {
  if (value === '') return null;
  if (!/^https?:\/\/[^/]/i.test(value) && !/^[^/\s]+:\d+$/.test(value)) throw new Error('expected http(s)://host:port');
  if (!URL.canParse(value.includes('://') ? value : `http://${value}`)) throw new Error('expected http(s)://host:port');
  return value;
};

/** Every setting there is: what --help prints, what the README's table shows, what the service reads. */
export const SETTINGS = {
  ...inGroup('Ports', {
    host: setting('HOST', 'address', '0.0.0.0', text, 'Address of the HTTP port.'),
    port: setting('PORT', 'port', '8080', port, 'HTTP: /json, /healthcheck, /livez, /readyz, /metrics.'),
    grpcHost: setting('GRPC_HOST', 'address', '0.0.0.0', text, 'Address of the gRPC port.'),
    grpcPort: setting('GRPC_PORT', 'port', '8081', port, 'gRPC: ShouldRateLimit, health, reflection.'),
    grpcMaxConnections: setting(
      'GRPC_MAX_CONNECTIONS',
      'number',
      '10000',
      atLeastOne,
      'Connections to the gRPC port; more are closed at once.',
    ),
    grpcUds: setting(
      'GRPC_UDS',
      'path',
      '',
      socketPath,
      'A unix socket for gRPC, in place of GRPC_HOST and GRPC_PORT.',
    ),
    grpcMaxConnectionAgeMs: longDuration(
      'GRPC_MAX_CONNECTION_AGE',
      '24h',
      'A connection so old, give or take a tenth, is asked to leave (GOAWAY) at its next call. 0: never.',
    ),
    grpcMaxConnectionAgeGraceMs: longDuration(
      'GRPC_MAX_CONNECTION_AGE_GRACE',
      '1h',
      'What its calls may take from then on; then it is cut. 0: as long as they like.',
    ),
    debugHost: setting('DEBUG_HOST', 'address', '0.0.0.0', text, 'Address of the admin port.'),
    debugPort: setting(
      'DEBUG_PORT',
      'port',
      '6070',
      port,
      'Admin: /rlconfig, /rules, /metrics, /stats, /debug/pprof/.',
    ),
    debugProfiles: bool(
      'DEBUG_PROFILES',
      false,
      'Make CPU profiles and heap snapshots there, for callers on this host. A snapshot holds keys and secrets.',
    ),
    adminTokenFile: path(
      'ADMIN_TOKEN_FILE',
      'A file with a token that callers of the admin port must bear (Authorization: Bearer ...), but for /. It may change.',
    ),
    usePrometheus: bool(
      'USE_PROMETHEUS',
      false,
      'Serve metrics on PROMETHEUS_ADDR too. /metrics is there in any case.',
    ),
    prometheusAddr: setting('PROMETHEUS_ADDR', 'host:port', ':9090', hostAndPort, 'Where, with USE_PROMETHEUS.'),
    prometheusPath: setting('PROMETHEUS_PATH', 'path', '/metrics', absolutePath, 'The path there.'),
  }),
  ...inGroup('TLS on the gRPC port', {
    grpcTls: bool('GRPC_SERVER_USE_TLS', false, 'Speak TLS, and nothing else.'),
    grpcTlsCert: path('GRPC_SERVER_TLS_CERT', 'PEM file of our certificate. New ones are taken when the files change.'),
    grpcTlsKey: path('GRPC_SERVER_TLS_KEY', 'PEM file of its key.'),
    grpcClientCa: path(
      'GRPC_CLIENT_TLS_CACERT',
      'PEM file of authorities: only clients with a certificate of one of them are let in.',
    ),
    grpcClientSan: setting(
      'GRPC_CLIENT_TLS_SAN',
      'name',
      '',
      optional(certificateName),
      "DNS name or IP address that clients' certificates must be for.",
    ),
    grpcServerTlsCaCert: path(
      'GRPC_SERVER_TLS_CA_CERT',
      'Set by Envoy Gateway. Told in the log and not enforced, as in the Go service; see GRPC_CLIENT_TLS_CACERT.',
    ),
  }),
  ...inGroup('Rules', {
    rules: setting(
      'RULES',
      'path',
      '',
      optionalText,
      'A rules file or a directory of them. Beats the RUNTIME_* names.',
    ),
    runtimeRoot: setting('RUNTIME_ROOT', 'path', '/srv/runtime_data/current', text, 'Root of the runtime directory.'),
    runtimeSubdirectory: setting('RUNTIME_SUBDIRECTORY', 'path', '', text, 'Directory below the root.'),
    runtimeAppdirectory: setting('RUNTIME_APPDIRECTORY', 'name', 'config', text, 'Directory of the rules below that.'),
    runtimeIgnoreDotFiles: bool(
      'RUNTIME_IGNOREDOTFILES',
      false,
      'Leave out files and directories that start with a dot.',
    ),
    runtimeWatchRoot: bool('RUNTIME_WATCH_ROOT', true, 'Read keys that start with the app directory below the root.'),
    mergeDomains: bool('MERGE_DOMAIN_CONFIG', false, 'Let several files add rules to one domain, in name order.'),
    forceStart: bool('FORCE_START_WITHOUT_INITIAL_CONFIG', false, '/healthcheck does not wait for rules.'),
    healthyWithConfig: bool(
      'HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED',
      false,
      '/healthcheck fails on a set without domains.',
    ),
  }),
  ...inGroup('Rules over xDS', {
    configType: setting(
      'CONFIG_TYPE',
      'FILE|GRPC_XDS_SOTW',
      'FILE',
      oneOf('FILE', 'GRPC_XDS_SOTW'),
      'Where rules come from: files, or a control plane by state-of-the-world ADS.',
    ),
    xdsServer: setting('CONFIG_GRPC_XDS_SERVER_URL', 'host:port', 'localhost:18000', text, 'The control plane.'),
    xdsNodeId: setting('CONFIG_GRPC_XDS_NODE_ID', 'text', 'default', text, 'Which node this process is to it.'),
    xdsNodeMetadata: setting('CONFIG_GRPC_XDS_NODE_METADATA', 'k=v,k=v', '', pairs('='), 'Metadata of the node.'),
    xdsHeaders: setting(
      'CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS',
      'k:v,k:v',
      '',
      grpcHeaders,
      'Headers of each stream, such as a token.',
    ),
    xdsRetryMs: duration(
      'CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL',
      '3s',
      'The wait after a stream that served has ended, and after the first that failed. None is shorter than 100ms.',
    ),
    xdsBackoffInitialMs: duration(
      'XDS_CLIENT_BACKOFF_INITIAL_INTERVAL',
      '10s',
      'The wait after the next one that failed; it doubles with each further one.',
    ),
    xdsBackoffMaxMs: duration('XDS_CLIENT_BACKOFF_MAX_INTERVAL', '60s', 'The longest wait.'),
    xdsBackoffFactor: setting(
      'XDS_CLIENT_BACKOFF_RANDOM_FACTOR',
      'number',
      '0.5',
      numberBetween(0, 1_000),
      'By how much of itself a wait may be shorter or longer. More than 1 counts as 1.',
    ),
    xdsBackoffJitter: bool('XDS_CLIENT_BACKOFF_JITTER', true, 'false: waits are not varied.'),
    xdsTls: bool('CONFIG_GRPC_XDS_SERVER_USE_TLS', false, 'Speak TLS to the control plane.'),
    xdsTlsCa: path(
      'CONFIG_GRPC_XDS_SERVER_TLS_CACERT',
      'PEM file of the authorities to trust, in place of those of the system. Read again at each dial.',
    ),
    xdsTlsSan: setting(
      'CONFIG_GRPC_XDS_SERVER_TLS_SAN',
      'name',
      '',
      optionalText,
      'The name its certificate must be for, in place of the host.',
    ),
    xdsTlsCert: path('CONFIG_GRPC_XDS_CLIENT_TLS_CERT', 'PEM file of our own certificate, read again at each dial.'),
    xdsTlsKey: path('CONFIG_GRPC_XDS_CLIENT_TLS_KEY', 'PEM file of its key.'),
    xdsMaxMessageBytes: setting(
      'XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES',
      'bytes',
      '',
      optional(count),
      'A larger set of rules is not taken: 4 MiB when this is 0 or not set.',
    ),
  }),
  ...inGroup('Store', {
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
      '1',
      atLeastOne,
      'With local: limits are divided by this, rounded up. The number of weir processes.',
    ),
    redisHealthCheck: bool(
      'REDIS_HEALTH_CHECK_ACTIVE_CONNECTION',
      false,
      '/healthcheck follows the connection to Redis.',
    ),
    expirationJitterMaxSeconds: setting(
      'EXPIRATION_JITTER_MAX_SECONDS',
      'seconds',
      '300',
      count,
      'Counters live up to this much longer than their window.',
    ),
    overLimitCacheBytes: setting(
      'LOCAL_CACHE_SIZE_IN_BYTES',
      'bytes',
      '0',
      count,
      'Remember keys that are over, and answer for them without Redis. 0 is off.',
    ),
    overLimitCacheEntries: setting(
      'OVER_LIMIT_CACHE_ENTRIES',
      'number',
      '0',
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
      '1000000',
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
  }),
  ...inGroup('Redis', {
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
      '1024',
      atLeastOne,
      'Hits that go to Redis together. A request with more of them goes alone.',
    ),
    redisMaxBatchesInFlight: setting(
      'REDIS_MAX_BATCHES_IN_FLIGHT',
      'number',
      '128',
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
  }),
  ...inGroup('Decisions', {
    nearLimitRatio: setting(
      'NEAR_LIMIT_RATIO',
      '0..1',
      '0.8',
      numberBetween(0, 1),
      'Hits above this part of a limit count as near it.',
    ),
    countDenied: bool(
      'COUNT_DENIED',
      true,
      'false: a refused request consumes nothing on any of its limits. Rules may say `count_denied` for a domain.',
    ),
    stopWhenOver: bool(
      'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT',
      false,
      'A refused request is charged only where it goes over. Without effect where refused requests are not counted.',
    ),
    shadowMode: bool('SHADOW_MODE', false, 'Decide and count, but tell ok.'),
    quotaMode: bool('QUOTA_MODE', false, 'Every descriptor is a quota: over only when all are.'),
    headersEnabled: bool('LIMIT_RESPONSE_HEADERS_ENABLED', false, 'Send the three headers below.'),
    limitHeader: setting(
      'LIMIT_LIMIT_HEADER',
      'name',
      'RateLimit-Limit',
      headerName,
      'Header for the limit that binds.',
    ),
    remainingHeader: setting(
      'LIMIT_REMAINING_HEADER',
      'name',
      'RateLimit-Remaining',
      headerName,
      'Header for what is left of it.',
    ),
    resetHeader: setting(
      'LIMIT_RESET_HEADER',
      'name',
      'RateLimit-Reset',
      headerName,
      'Header for the seconds until it resets.',
    ),
    retryAfterHeader: setting(
      'LIMIT_RETRY_AFTER_HEADER',
      'name',
      '',
      headerName,
      'Header of refusals for the seconds until the same request would be admitted, such as `Retry-After`.',
    ),
    dynamicMetadata: bool('RESPONSE_DYNAMIC_METADATA', false, 'Answer with the request and the metadata of its rules.'),
  }),
  ...inGroup('Limits on requests', {
    maxLoopLagMs: duration(
      'MAX_LOOP_LAG',
      '2s',
      'When the event loop is later than this, calls are RESOURCE_EXHAUSTED instead of queueing. 0 is off.',
    ),
    maxMessageBytes: setting(
      'MAX_MESSAGE_BYTES',
      'bytes',
      '4194304',
      atLeastOne,
      'A larger message is RESOURCE_EXHAUSTED on gRPC, 413 on /json.',
    ),
    maxDescriptors: setting(
      'MAX_DESCRIPTORS',
      'number',
      String(REQUEST_BOUNDS.maxDescriptors),
      atLeastOne,
      'Descriptors in a request.',
    ),
    maxEntries: setting(
      'MAX_ENTRIES',
      'number',
      String(REQUEST_BOUNDS.maxEntries),
      atLeastOne,
      'Entries in a descriptor.',
    ),
    maxKeyBytes: setting(
      'MAX_KEY_BYTES',
      'bytes',
      String(REQUEST_BOUNDS.maxKeyBytes),
      atLeastOne,
      'Length of an entry key.',
    ),
    maxValueBytes: setting(
      'MAX_VALUE_BYTES',
      'bytes',
      String(REQUEST_BOUNDS.maxValueBytes),
      atLeastOne,
      'Length of an entry value.',
    ),
    maxNesting: setting(
      'MAX_NESTING',
      'number',
      String(REQUEST_BOUNDS.maxNesting),
      integerBetween(5, 1_000),
      'Levels inside each other, of unknown protobuf groups and of JSON.',
    ),
  }),
  ...inGroup('Telemetry', {
    logLevel: setting(
      'LOG_LEVEL',
      'level',
      'info',
      oneOf('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'),
      'Least important lines that are written.',
    ),
    logFormat: setting(
      'LOG_FORMAT',
      'text|json',
      '',
      optional(oneOf('text', 'json')),
      'Text on a terminal, else JSON, when not set.',
    ),
    maxSeriesPerDomain: setting(
      'METRICS_MAX_SERIES_PER_DOMAIN',
      'number',
      '1000',
      count,
      'Metric keys that callers can make in a domain; the rest is key1="_other".',
    ),
  }),
  ...inGroup('Metrics sinks', {
    disableStats: bool('DISABLE_STATS', false, 'No PROMETHEUS_ADDR and no statsd, whatever else is set.'),
    extraTags: setting(
      'EXTRA_TAGS',
      'k:v,k:v',
      '',
      pairs(':'),
      'On every metric: labels for Prometheus, tags for statsd.',
    ),
    prometheusMapper: path(
      'PROMETHEUS_MAPPER_YAML',
      'Mapping file of statsd_exporter: how PROMETHEUS_ADDR names what the Go service tells too.',
    ),
    responseTimeAsMs: bool(
      'PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS',
      false,
      'On PROMETHEUS_ADDR, without a mapping file: milliseconds under the name that says seconds.',
    ),
    useStatsd: bool('USE_STATSD', false, 'Send metrics to a statsd over TCP.'),
    useDogStatsd: bool('USE_DOG_STATSD', false, 'Send metrics to a DogStatsD over UDP.'),
    statsdHost: setting('STATSD_HOST', 'address', 'localhost', text, 'Where both are.'),
    statsdPort: setting('STATSD_PORT', 'port', '8125', integerBetween(1, 65_535), 'Their port.'),
    statsFlushMs: setting('STATS_FLUSH_INTERVAL', 'duration', '10s', atLeastOneMs, 'How often they are told.'),
    dogStatsdMogrifiers: setting(
      'USE_DOG_STATSD_MOGRIFIERS',
      'A,B',
      '',
      goList,
      'Rewrites of DogStatsD names: the first of DOG_STATSD_MOGRIFIER_A_PATTERN, ... that fits gives _A_NAME and _A_TAGS.',
    ),
  }),
  ...inGroup('Tracing', {
    tracingEnabled: bool('TRACING_ENABLED', false, 'Send spans to an OpenTelemetry collector by OTLP.'),
    tracingProtocol: setting(
      'TRACING_EXPORTER_PROTOCOL',
      'http|grpc',
      'http',
      oneOf('http', 'grpc'),
      'OTLP over HTTP in protobuf, or over gRPC.',
    ),
    tracingSamplingRate: setting(
      'TRACING_SAMPLING_RATE',
      'number',
      '1',
      numberBetween(0, 1_000),
      'The part of the traces that begin here, more than 1 is all; callers within a trace have decided. 0: no tracing.',
    ),
    tracingServiceName: setting('TRACING_SERVICE_NAME', 'text', 'RateLimit', text, 'service.name of the spans.'),
    tracingServiceNamespace: setting('TRACING_SERVICE_NAMESPACE', 'text', '', text, 'service.namespace.'),
    tracingServiceInstanceId: setting(
      'TRACING_SERVICE_INSTANCE_ID',
      'text',
      '',
      text,
      'service.instance.id. A random UUID for each process when not set.',
    ),
    otlpEndpoint: setting(
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'url',
      '',
      endpoint,
      'The collector: http://localhost:4318 when not set, with grpc http://localhost:4317. Over HTTP /v1/traces is added.',
    ),
    otlpTracesEndpoint: setting(
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'url',
      '',
      endpoint,
      'The same, and beats it; nothing is added.',
    ),
    otlpHeaders: setting(
      'OTEL_EXPORTER_OTLP_HEADERS',
      'k=v,k=v',
      '',
      exporterHeaders,
      'Sent with each batch, such as a token. Values are percent-encoded.',
    ),
    otlpTimeoutMs: setting(
      'OTEL_EXPORTER_OTLP_TIMEOUT',
      'milliseconds',
      '10000',
      integerBetween(1, 600_000),
      'How long a batch may take, all attempts together; then it is lost.',
    ),
    otlpCompression: setting(
      'OTEL_EXPORTER_OTLP_COMPRESSION',
      'none|gzip',
      'none',
      oneOf('none', 'gzip'),
      'How batches are packed.',
    ),
    otlpInsecure: bool(
      'OTEL_EXPORTER_OTLP_INSECURE',
      false,
      'With grpc and an address that has no scheme: plain text in place of TLS.',
    ),
    otlpCa: path('OTEL_EXPORTER_OTLP_CERTIFICATE', 'PEM file of the authorities to trust, read at the start.'),
    otlpCert: path('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', 'PEM file of our own certificate.'),
    otlpKey: path('OTEL_EXPORTER_OTLP_CLIENT_KEY', 'PEM file of its key.'),
  }),
  ...inGroup('Stopping', {
    drainDelayMs: duration('DRAIN_DELAY', '0s', 'Between saying NOT_SERVING and refusing new calls.'),
    drainTimeoutMs: duration('DRAIN_TIMEOUT', '25s', 'How long calls in flight may take to finish.'),
  }),
} as const;

type Table = typeof SETTINGS;
export type Settings = { readonly [K in keyof Table]: ReturnType<Table[K]['parse']> };
export type SettingSource = 'flag' | 'environment' | 'default';

export interface ReadSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<keyof Table, SettingSource>>;
  readonly mogrifiers: readonly MogrifierSetting[];
  /** Names of the Go service's environment that were set and have no effect here. */
  readonly ignored: readonly string[];
  /** What is set, does no harm here, and would end the Go service: sentences. */
  readonly warnings: readonly string[];
}

/** All that is wrong with flags and environment, a line each. Values are left out: they may be secrets. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly lines: readonly string[];
  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

function optional<T>(parse: (text: string) => T): (text: string) => T | null {
  return (value) => (value === '' ? null : parse(value));
}

const ENTRIES = Object.entries(SETTINGS) as unknown as readonly (readonly [keyof Table, Setting<unknown>])[];

/** Flags win over the environment, the environment over defaults. Throws SettingsError. */
export function readSettings(argv: readonly string[], env: NodeJS.ProcessEnv): ReadSettings {
  const { flags, wrong } = readFlags(argv);
  const values: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const [name, setting] of ENTRIES) {
    const flag = flags[flagOf(setting)];
    const inEnv = env[setting.env];
    // An empty variable means "not set" to whoever writes `NAME=` in a manifest, except where empty is a value.
    const fromEnv = inEnv === '' && setting.default !== '' && !EMPTY_IS_A_VALUE.has(setting.parse) ? undefined : inEnv;
    sources[name] = flag !== undefined ? 'flag' : fromEnv !== undefined ? 'environment' : 'default';
    try {
      values[name] = setting.parse(flag ?? fromEnv ?? setting.default);
    } catch (error) {
      const where = flag === undefined ? setting.env : `--${flagOf(setting)}`;
      wrong.push(`${where}: ${(error as Error).message}`);
    }
  }
  const keys = (values as { readonly dogStatsdMogrifiers?: readonly string[] }).dogStatsdMogrifiers ?? [];
  const mogrifiers = readMogrifiers(keys, env, wrong);
  wrong.push(...misfits(values as Partial<Settings>));
  if (wrong.length > 0) throw new SettingsError(wrong);
  const settings = Object.freeze(values) as unknown as Settings;
  return {
    settings,
    sources: sources as Record<keyof Table, SettingSource>,
    mogrifiers,
    ignored: withoutEffect(env),
    warnings: endsTheGoService(env, settings),
  };
}

/** Settings that are right one by one, and not together. */
function misfits({ redisCommandTimeoutMs: timeoutMs = Number.POSITIVE_INFINITY, ...values }: Partial<Settings>) {
  return (['redisPipelineWindowMs', 'perSecondPipelineWindowMs'] as const)
    .filter((name) => Math.ceil(values[name] ?? 0) >= timeoutMs)
    .map((name) => `${SETTINGS[name].env}: must be shorter than REDIS_COMMAND_TIMEOUT, of which it takes its part`);
}

interface Flags {
  readonly flags: Readonly<Record<string, string>>;
  readonly wrong: string[];
}

/** Looks at every argument, so that all mistakes are told at once. A switch is --name, --no-name or --name=false. */
function readFlags(argv: readonly string[]): Flags {
  const switches = new Map(ENTRIES.map(([, setting]) => [flagOf(setting), isSwitch(setting)]));
  const options = [...switches].map(([flag, isOn]) => [flag, { type: isOn ? 'boolean' : 'string' } as const] as const);
  const { tokens } = parseArgs({ args: [...argv], options: Object.fromEntries(options), strict: false, tokens: true });
  const flags: Record<string, string> = {};
  const wrong = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional' || !token.rawName.startsWith('--')) {
      // Its text is not told: it may be a secret that lost its flag.
      wrong.add(`argument ${token.index + 1} is neither a flag nor the value of one`);
      continue;
    }
    const { name, rawName, value } = token;
    const positive = name.replace(/^no-/, '');
    if (switches.get(name)) flags[name] = value ?? 'true';
    else if (switches.get(positive) && value === undefined) flags[positive] = 'false';
    else if (switches.get(positive)) wrong.add(`${rawName}: takes no value`);
    else if (!switches.has(name)) wrong.add(`${rawName}: there is no such flag; weir --help lists them`);
    else if (value === undefined) wrong.add(`${rawName}: a value is missing`);
    else if (!token.inlineValue && /^-./.test(value))
      wrong.add(`${rawName}: write a value with a dash as ${rawName}=-...`);
    else flags[name] = value;
  }
  return { flags, wrong: [...wrong] };
}

function flagOf({ env }: Setting<unknown>): string {
  return env.toLowerCase().replaceAll('_', '-');
}

function isSwitch({ parse }: Setting<unknown>): boolean {
  return parse === goBoolean;
}

/** The settings part of --help. */
export function settingsHelp(): string {
  const lines: string[] = [];
  let last = '';
  for (const [, setting] of ENTRIES) {
    if (setting.group !== last) lines.push('', `${setting.group}:`);
    last = setting.group;
    const flag = `--${flagOf(setting)}${isSwitch(setting) ? '' : ` <${setting.form}>`}`;
    const fallback = setting.default === '' ? '' : ` [${setting.default}]`;
    lines.push(`  ${flag}`, `      ${setting.doc}${fallback}`);
  }
  return lines.join('\n');
}

/** The README's table. */
export function settingsTable(): string {
  const rows = ENTRIES.map(([, setting]) => {
    const fallback = setting.default === '' ? '' : `\`${setting.default}\``;
    const form = setting.form.replaceAll('|', ' or ');
    return `| \`${setting.env}\` | \`--${flagOf(setting)}\` | ${form} | ${fallback} | ${setting.doc} |`;
  });
  return ['| Environment | Flag | Value | Default | |', '|---|---|---|---|---|', ...rows].join('\n');
}
