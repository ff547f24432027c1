import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cluster, type Envoy, type EnvoyJson, envoy, needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Rules, type Service, service } from '../support/service.ts';
import { type HttpUpstream, httpUpstream, type TcpUpstream, tcpUpstream } from '../support/upstream.ts';
import { httpListener, RLS_CLUSTER, type RouteConfig, rlsCluster, tcpListener } from './envoy-config.ts';
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
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Names the request in the access log. */
  readonly id: string;
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

/**
 * Called in a `describe`: routes register while the suite is described, and the bed starts before its first case with
 * all of them in one configuration.
 */
export function bed(options: BedOptions): Bed {
  const routes: RouteConfig[] = [];
  const tcpRoutes: { name: string; descriptor: EnvoyJson; port: number }[] = [];
  const rules: Record<string, object> = {};
  const services: Service[] = [];
  const doors: Partial<Record<Door, number>> = {};
  const agent = new Agent({ keepAlive: true });
  let redis: OwnRedis | undefined;
  let http: HttpUpstream | undefined;
  let tcp: TcpUpstream | undefined;
  let proxy: Envoy | undefined;
  let dir: string | undefined;
  let asked = 0;

  before(async function () {
    needEnvoy(this);
    if (options.store === 'redis') needsRedis(this);
    dir = await mkdtemp(join(tmpdir(), 'weir-bed-'));
    [redis, http, tcp] = await Promise.all([
      options.store === 'redis' ? ownRedis() : undefined,
      httpUpstream(),
      tcpUpstream(),
    ]);
    for (let i = 0; i < (options.servers ?? 1); i++) {
      services.push(
        await service({ rules, redis: redis?.url, env: options.env, configMap: options.configMap ?? false }),
      );
    }
    const listeners: EnvoyJson[] = [];
    for (const [name, door] of Object.entries(DOORS)) {
      const port = await freePort();
      doors[name as Door] = port;
      const accessLog = join(dir, 'access.log');
      listeners.push(httpListener({ name, port, routes, accessLog, retries: options.retries ?? false, ...door }));
    }
    for (const route of tcpRoutes) {
      route.port = await freePort();
      listeners.push(tcpListener(route));
    }
    proxy = await envoy({
      listeners,
      clusters: [
        cluster('app', [http.port]),
        cluster('tcp-app', [tcp.port]),
        rlsCluster(
          services.map((s) => s.grpcPort),
          options.healthChecks ?? false,
        ),
      ],
    });
  });

  after(async () => {
    agent.destroy();
    await proxy?.stop();
    await Promise.all(services.map((s) => s.close()));
    await Promise.all([redis?.stop(), http?.stop(), tcp?.stop()]);
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed' || process.env.SHOW_OUTPUT !== '1') return;
    for (const s of services) console.log(`--- service\n${s.process().output()}`);
    console.log(`--- envoy\n${proxy?.process().output()}`);
  });

  const get = (name: string, ask: Ask = {}): Promise<Answer> => {
    const id = `${name}-${++asked}`;
    const headers = { ...ask.headers, 'x-test-id': id };
    return new Promise((done, fail) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: doors[ask.through ?? 'strict']!,
          path: `/${name}${ask.query ?? ''}`,
          headers,
          agent,
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            body += chunk;
          });
          response.once('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body, id }));
          response.once('error', fail);
        },
      );
      outgoing.once('error', fail);
      outgoing.end();
    });
  };

  return {
    route(name, { limits, rules: descriptors, domain = name }) {
      routes.push({ name, domain, limits });
      if (descriptors) rules[`${domain}.yaml`] = { domain, descriptors };
      return {
        domain,
        get: (ask) => get(name, ask),
        async statuses(count, ask) {
          const statuses: number[] = [];
          for (let i = 0; i < count; i++) statuses.push((await get(name, ask)).status);
          return statuses;
        },
        async statusesAtOnce(count, ask) {
          const answers = await Promise.all(Array.from({ length: count }, () => get(name, ask)));
          return answers.map((a) => a.status);
        },
      };
    },
    tcpRoute(name, { descriptor, rules: descriptors }) {
      const route = { name, descriptor, port: 0 };
      tcpRoutes.push(route);
      if (descriptors) rules[`${name}.yaml`] = { domain: name, descriptors };
      return { connect: () => echo(route.port) };
    },
    rules: () => rules,
    service: (index = 0) => services[index]!,
    redis: () => redis!,
    async counter(key) {
      const value = await redis!.client.get(`${key}_${windowStart()}`);
      return value === null ? undefined : Number(value);
    },
    envoy: () => proxy!,
    upstream: () => http!,
    tcpUpstream: () => tcp!,
    logged: (id) =>
      eventually(`an access log line of ${id}`, async () => {
        const lines = (await readFile(join(dir!, 'access.log'), 'utf8')).trim().split('\n');
        return lines.map((line) => JSON.parse(line) as LogLine).find((line) => line.id === id);
      }),
  };
}

export { RLS_CLUSTER };

function echo(port: number): Promise<'echoed' | 'closed'> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1');
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
      socket.end();
    });
    socket.once('connect', () => socket.write('ping\n'));
    // A connection closed before our line was read ends in a reset.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') fail(error);
    });
    socket.once('close', () => done(got > 0 ? 'echoed' : 'closed'));
  });
}
