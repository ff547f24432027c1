import { copyFile, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificates, certificates } from '../support/certificates.ts';
import { cluster, type Envoy, type EnvoyJson, envoy, needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Rules, type Service, service } from '../support/service.ts';
import { type HttpUpstream, httpUpstream, type TcpUpstream, tcpUpstream } from '../support/upstream.ts';
import { type Answer, begin, echo, type Get, get } from './client.ts';
import {
  type ClientFiles,
  httpListener,
  LIMITER_NAME,
  type RouteConfig,
  rlsCluster,
  type TcpRouteConfig,
  tcpListener,
} from './envoy-config.ts';
import { WINDOW, windowStart } from './window.ts';

/** The doors of the bed's Envoy: what its filter does when the limiter fails, and how long it waits for it. */
const DOORS = {
  /** An error becomes 500; waits long, so that a busy machine makes none. */
  strict: { denies: true, timeoutMs: 10_000 },
  /** An error lets the request pass. */
  open: { denies: false, timeoutMs: 10_000 },
  hasty: { denies: true, timeoutMs: 100 },
  hastyOpen: { denies: false, timeoutMs: 100 },
} as const;

export type Door = keyof typeof DOORS;

export interface BedOptions {
  readonly store: 'redis' | 'memory';
  readonly env?: Readonly<Record<string, string>>;
  /** Limiters behind the one cluster. */
  readonly servers?: number;
  /** Envoy asks the limiters' gRPC health. */
  readonly healthChecks?: boolean;
  /** Envoy asks another limiter when one is not there. */
  readonly retries?: boolean;
  /** Rules lie in a ConfigMap mount. */
  readonly configMap?: boolean;
  /** Limiters speak TLS and want a certificate, and whose it is that Envoy shows. */
  readonly tls?: 'ours' | 'stranger';
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  /** What follows the path: `?a=b`. */
  readonly query?: string;
  readonly through?: Door;
}

export interface RouteOptions {
  /** `RateLimitPerRoute.rate_limits`: what Envoy makes descriptors of. */
  readonly limits: readonly EnvoyJson[];
  /** `descriptors` of the route's domain. */
  readonly rules?: readonly object[];
  /** Another route's name, to share its rules and counters. */
  readonly domain?: string;
}

/** One path of Envoy with its own rate limits and, unless it shares one, its own domain. */
export interface Route {
  readonly domain: string;
  get(ask?: Ask): Promise<Answer>;
  /** Begins a request, and hangs up when the function that it returns is called. */
  begin(ask?: Ask): () => void;
  /** The statuses of `count` requests, one after the other. */
  statuses(count: number, ask?: Ask): Promise<number[]>;
  /** The statuses of `count` requests sent at once. */
  statusesAtOnce(count: number, ask?: Ask): Promise<number[]>;
}

export interface TcpRoute {
  /** Connects, sends one line, and tells whether it came back or the connection was closed without a byte. */
  connect(): Promise<'echoed' | 'closed'>;
}

export interface LogLine {
  readonly id: string;
  readonly code: number;
  readonly details: string;
  readonly flags: string;
  readonly metadata: unknown;
}

/** A limiter, its store, an application, and a real Envoy between them and the test. Only valid while tests run. */
export interface Bed {
  route(name: string, options: RouteOptions): Route;
  tcpRoute(name: string, options: Pick<RouteOptions, 'rules'> & { descriptor: EnvoyJson }): TcpRoute;
  /** The rules as registered, by file name. */
  rules(): Rules;
  service(index?: number): Service;
  redis(): OwnRedis;
  /** A counter of the current window by its key without the window; undefined when there is none. */
  counter(key: string): Promise<number | undefined>;
  envoy(): Envoy;
  /** Gives the limiters a new certificate, as whoever manages certificates does. */
  renew(): Promise<void>;
  upstream(): HttpUpstream;
  tcpUpstream(): TcpUpstream;
  /** The access log's line about a request, once Envoy has written it. */
  logged(id: string): Promise<LogLine>;
}

/** The limit of a rule in the suite's window. */
export function perWindow(requests: number, more: object = {}): object {
  return { unit: WINDOW.unit, requests_per_unit: requests, ...more };
}

/** Sorted statuses with their numbers: `{ 200: 50, 429: 150 }`. */
export function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** What the cases of a suite registered before anything runs. */
interface Plan {
  readonly routes: RouteConfig[];
  readonly tcpRoutes: TcpRouteConfig[];
  readonly rules: Record<string, object>;
}

interface Running {
  readonly ports: ReadonlyMap<string, number>;
  readonly accessLog: string;
  readonly services: readonly Service[];
  readonly redis: OwnRedis | undefined;
  readonly http: HttpUpstream;
  readonly tcp: TcpUpstream;
  readonly envoy: Envoy;
  readonly secrets: Secrets | undefined;
}

const START_MS = 60_000;

/**
 * Called in a `describe`: routes register while the suite is described, and the bed starts before its first case with
 * all of them in one configuration.
 */
export function bed(options: BedOptions): Bed {
  const plan: Plan = { routes: [], tcpRoutes: [], rules: {} };
  const agent = new Agent({ keepAlive: true });
  const closers: (() => unknown)[] = [() => agent.destroy()];
  let running: Running | undefined;
  let asked = 0;

  before(async function () {
    this.timeout(START_MS);
    needEnvoy(this);
    if (options.store === 'redis') needsRedis(this);
    running = await start(options, plan, closers);
  });

  after(async () => {
    for (const close of closers.reverse()) await close();
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed' || process.env.SHOW_OUTPUT !== '1') return;
    for (const s of now().services) console.log(`--- service\n${s.process().output()}`);
    console.log(`--- envoy\n${now().envoy.process().output()}`);
  });

  const now = (): Running => {
    if (!running) throw new Error('the bed has not started');
    return running;
  };
  const asking = (name: string, { query = '', headers = {}, through = 'strict' }: Ask = {}): Get => {
    const port = now().ports.get(through)!;
    return { agent, port, path: `/${name}${query}`, headers, id: `${name}-${++asked}` };
  };
  const ask = (name: string, how?: Ask): Promise<Answer> => get(asking(name, how));

  return {
    route(name, { limits, rules: descriptors, domain = name }) {
      plan.routes.push({ name, domain, limits });
      if (descriptors) plan.rules[`${domain}.yaml`] = { domain, descriptors };
      return {
        domain,
        get: (how) => ask(name, how),
        begin: (how) => begin(asking(name, how)),
        async statuses(count, how) {
          const statuses: number[] = [];
          for (let i = 0; i < count; i++) statuses.push((await ask(name, how)).status);
          return statuses;
        },
        async statusesAtOnce(count, how) {
          const answers = await Promise.all(Array.from({ length: count }, () => ask(name, how)));
          return answers.map((a) => a.status);
        },
      };
    },
    tcpRoute(name, { descriptor, rules: descriptors }) {
      plan.tcpRoutes.push({ name, descriptor });
      if (descriptors) plan.rules[`${name}.yaml`] = { domain: name, descriptors };
      return { connect: () => echo(now().ports.get(name)!) };
    },
    rules: () => plan.rules,
    service: (index = 0) => now().services[index]!,
    redis: () => now().redis!,
    async counter(key) {
      const value = await now().redis!.client.get(`${key}_${windowStart()}`);
      return value === null ? undefined : Number(value);
    },
    envoy: () => now().envoy,
    renew: () => now().secrets!.renew(),
    upstream: () => now().http,
    tcpUpstream: () => now().tcp,
    logged: (id) =>
      eventually(`an access log line of ${id}`, async () => {
        const lines = (await readFile(now().accessLog, 'utf8')).trim().split('\n');
        return lines.map((line) => JSON.parse(line) as LogLine).find((line) => line.id === id);
      }),
  };
}

/** Starts everything; what has started is in `closers` also when something after it fails. */
async function start(options: BedOptions, plan: Plan, closers: (() => unknown)[]): Promise<Running> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-bed-'));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  const http = await httpUpstream();
  closers.push(http.stop);
  const tcp = await tcpUpstream();
  closers.push(tcp.stop);
  const redis = options.store === 'redis' ? await ownRedis() : undefined;
  if (redis) closers.push(redis.stop);

  const { configMap = false, servers = 1, healthChecks = false, retries = false } = options;
  // A busy machine must not make errors; the suite about a Redis that stands still asks for weir's default.
  const secrets = options.tls === undefined ? undefined : await secretsIn(dir, options.tls, closers);
  const env = { REDIS_COMMAND_TIMEOUT: '5s', ...secrets?.env, ...options.env };
  const services: Service[] = [];
  for (let i = 0; i < servers; i++) {
    const server = await service({ rules: plan.rules, redis: redis?.url, env, configMap });
    services.push(server);
    closers.push(server.close);
  }

  const ports = new Map<string, number>();
  const accessLog = join(dir, 'access.log');
  const listeners: EnvoyJson[] = [];
  for (const [name, door] of Object.entries(DOORS)) {
    const port = await freePort();
    ports.set(name, port);
    listeners.push(httpListener({ name, port, routes: plan.routes, accessLog, retries, ...door }));
  }
  for (const route of plan.tcpRoutes) {
    const port = await freePort();
    ports.set(route.name, port);
    listeners.push(tcpListener(route, port));
  }
  const grpcPorts = services.map((s) => s.grpcPort);
  const proxy = await envoy({
    listeners,
    clusters: [
      cluster('app', [http.port]),
      cluster('tcp-app', [tcp.port]),
      rlsCluster(grpcPorts, { healthChecks, tls: secrets?.envoy }),
    ],
  });
  closers.push(proxy.stop);
  return { ports, accessLog, services, redis, http, tcp, envoy: proxy, secrets };
}

/** Certificates of one authority on both sides, unless Envoy's is a stranger's. */
interface Secrets {
  readonly env: Readonly<Record<string, string>>;
  readonly envoy: ClientFiles;
  renew(): Promise<void>;
}

const ENVOY_NAME = 'envoy.test';

async function secretsIn(dir: string, whose: 'ours' | 'stranger', closers: (() => unknown)[]): Promise<Secrets> {
  const made = async (): Promise<Certificates> => {
    const authority = await certificates();
    closers.push(authority.remove);
    return authority;
  };
  const ours = await made();
  const shown = await (whose === 'ours' ? ours : await made()).sign(`DNS:${ENVOY_NAME}`);
  const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  async function renew(): Promise<void> {
    const signed = await ours.sign(`DNS:${LIMITER_NAME}`);
    for (const [from, to] of [
      [signed.key, key],
      [signed.cert, cert],
    ] as const) {
      await copyFile(from, `${to}.next`);
      await rename(`${to}.next`, to);
    }
  }
  await renew();
  const env = {
    GRPC_SERVER_USE_TLS: 'true',
    GRPC_SERVER_TLS_CERT: cert,
    GRPC_SERVER_TLS_KEY: key,
    GRPC_CLIENT_TLS_CACERT: ours.ca,
    GRPC_CLIENT_TLS_SAN: ENVOY_NAME,
  };
  return { env, envoy: { ...shown, ca: ours.ca }, renew };
}
