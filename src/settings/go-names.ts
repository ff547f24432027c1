import { type SinksAsked, sinksOn } from './sinks-on.ts';

const NO_MEMCACHED = 'there is no memcached here: BACKEND_TYPE=memcache is refused at the start';
const ONE_CONNECTION = 'calls never wait for a connection: one carries all hits of a turn of the event loop';
const IN_ONE_WRITE = 'all hits of a node travel in one write, and the nodes are asked at the same time';
const NOWHERE = 'the Go service reads it and does nothing with it';
const OPENS_AT_ONCE = 'ports open at once, /readyz tells whether Redis is there, and it is dialled until it is';

/**
 * Names that the Go service reads and weir does not, and why each has no effect here: accepted whatever their value, and
 * told at the start.
 */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  MEMCACHE_HOST_PORT: NO_MEMCACHED,
  MEMCACHE_MAX_IDLE_CONNS: NO_MEMCACHED,
  MEMCACHE_SRV: NO_MEMCACHED,
  MEMCACHE_SRV_REFRESH: NO_MEMCACHED,
  MEMCACHE_TLS: NO_MEMCACHED,
  MEMCACHE_TLS_CACERT: NO_MEMCACHED,
  MEMCACHE_TLS_CLIENT_CERT: NO_MEMCACHED,
  MEMCACHE_TLS_CLIENT_KEY: NO_MEMCACHED,
  MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION: NO_MEMCACHED,
  REDIS_CLUSTER_PIPELINE_PARALLELISM: IN_ONE_WRITE,
  REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM: IN_ONE_WRITE,
  REDIS_PERSECOND_PIPELINE_LIMIT: NOWHERE,
  REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR: ONE_CONNECTION,
  REDIS_PIPELINE_LIMIT: NOWHERE,
  REDIS_POOL_ON_EMPTY_BEHAVIOR: ONE_CONNECTION,
  REDIS_STARTUP_INITIAL_INTERVAL: OPENS_AT_ONCE,
  REDIS_STARTUP_MAX_ELAPSED_TIME: OPENS_AT_ONCE,
  REDIS_STARTUP_MAX_INTERVAL: OPENS_AT_ONCE,
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Those that are set to something. */
export function withoutEffect(env: Environment): readonly string[] {
  return Object.keys(WITHOUT_EFFECT).filter((name) => env[name] !== undefined && env[name] !== '');
}

/** One line for each reason: `A, B: why`. */
export function reasons(names: readonly string[]): readonly string[] {
  return byReason(names).map(([why, those]) => `${those.join(', ')}: ${why}`);
}

/** The table of docs/settings.md. */
export function goNamesTable(): string {
  const rows = byReason(Object.keys(WITHOUT_EFFECT)).map(
    ([why, names]) => `| ${names.map((name) => `\`${name}\``).join(' ')} | ${why} |`,
  );
  return ['| Environment | Why it has no effect |', '|---|---|', ...rows].join('\n');
}

function byReason(names: readonly string[]): readonly (readonly [why: string, names: readonly string[]])[] {
  const whys = new Set(names.map((name) => WITHOUT_EFFECT[name] ?? ''));
  return [...whys].map((why) => [why, names.filter((name) => WITHOUT_EFFECT[name] === why)]);
}

const POOLS = ['REDIS_POOL_ON_EMPTY_BEHAVIOR', 'REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR'];

/** What is fine here and ends the Go service at its start, a sentence each: for whoever may want to go back to it. */
export function endsTheGoService(env: Environment, asked: SinksAsked): readonly string[] {
  const { statsd, dogStatsd, prometheus } = sinksOn(asked);
  const pools = POOLS.filter((name) => /^(create|error)$/i.test(env[name] ?? ''));
  const told = Object.entries({ USE_STATSD: statsd, USE_DOG_STATSD: dogStatsd, USE_PROMETHEUS: prometheus })
    .filter(([, isTold]) => isTold)
    .map(([name]) => name);
  return [
    ...pools.map((name) => `${name}: CREATE and ERROR have no effect here, and end the Go service at its start`),
    ...(told.length > 1
      ? [`${told.join(', ')}: all are told here; more than one ends the Go service at its start`]
      : []),
  ];
}
