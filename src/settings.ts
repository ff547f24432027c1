import { parseArgs } from 'node:util';
import { REQUEST_BOUNDS } from './core/request.ts';
import { NOT_YET, WITHOUT_EFFECT } from './go-names.ts';
import { goBoolean, goDurationMs, hostAndPort, integerBetween, numberBetween, oneOf } from './go-values.ts';

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
const poolSize = (env: string, doc: string) => setting(env, 'number', '1', integerBetween(1, MOST_CONNECTIONS), doc);

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
    grpcMaxStreams: setting(
      'GRPC_MAX_STREAMS',
      'number',
      '4096',
      integerBetween(1_024, COUNT_MOST),
      'Calls that one connection may have open. Envoy fails those beyond.',
    ),
    grpcTransport: setting(
      'GRPC_TRANSPORT',
      'grpc-js|wire',
      'grpc-js',
      oneOf('grpc-js', 'wire'),
      'What speaks HTTP/2 on the gRPC port: gRPC’s own library, or sockets of ours at a fraction of its cost.',
    ),
    debugHost: setting('DEBUG_HOST', 'address', '0.0.0.0', text, 'Address of the admin port.'),
    debugPort: setting('DEBUG_PORT', 'port', '6070', port, 'Admin: /rlconfig, /rules, /metrics, /stats.'),
    usePrometheus: bool(
      'USE_PROMETHEUS',
      false,
      'Serve metrics on PROMETHEUS_ADDR too. /metrics is there in any case.',
    ),
    prometheusAddr: setting('PROMETHEUS_ADDR', 'host:port', ':9090', hostAndPort, 'Where, with USE_PROMETHEUS.'),
    prometheusPath: setting('PROMETHEUS_PATH', 'path', '/metrics', absolutePath, 'The path there.'),
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
  ...inGroup('Store', {
    backendType: setting(
      'BACKEND_TYPE',
      'redis|memory',
      '',
      optional(oneOf('redis', 'memory')),
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
      'Collect hits for that long, in whole milliseconds; 0 is one turn of the event loop.',
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
      'How long an answer may take; then the call fails.',
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
      'Batches that Redis has not answered; beyond it calls are RESOURCE_EXHAUSTED.',
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
  ...inGroup('Stopping', {
    drainDelayMs: duration('DRAIN_DELAY', '0s', 'Between saying NOT_SERVING and refusing new calls.'),
    grpcMaxConnectionAgeMs: duration(
      'GRPC_MAX_CONNECTION_AGE',
      '24h',
      'A gRPC connection so old, give or take a tenth, is told to go. 0 is off.',
    ),
    grpcMaxConnectionAgeGraceMs: duration(
      'GRPC_MAX_CONNECTION_AGE_GRACE',
      '1h',
      'Then its calls have so long to finish before it is cut.',
    ),
    drainTimeoutMs: duration('DRAIN_TIMEOUT', '25s', 'How long calls in flight may take to finish.'),
  }),
} as const;

type Table = typeof SETTINGS;
export type Settings = { readonly [K in keyof Table]: ReturnType<Table[K]['parse']> };
export type SettingSource = 'flag' | 'environment' | 'default';

export interface ReadSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<keyof Table, SettingSource>>;
  /** Names of the Go service's environment that were set and have no effect here. */
  readonly ignored: readonly string[];
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
  for (const [name, { asks, why }] of Object.entries(NOT_YET)) {
    if (env[name] && asks(env[name])) wrong.push(`${name}: ${why}`);
  }
  if (wrong.length > 0) throw new SettingsError(wrong);
  return {
    settings: Object.freeze(values) as unknown as Settings,
    sources: sources as Record<keyof Table, SettingSource>,
    ignored: WITHOUT_EFFECT.filter((name) => env[name] !== undefined && env[name] !== ''),
  };
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
