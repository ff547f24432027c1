import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { httpListener, type RouteConfig, rlsCluster } from '../e2e/envoy-config.ts';
import { type Prometheus, prometheus } from '../receivers/prometheus.ts';
import { cluster, type Envoy, type EnvoyJson, envoy } from '../support/envoy.ts';
import { freePort } from '../support/port.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { traffic } from './traffic.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const ALERTS = here('../../deploy/prometheus/weir.rules.yaml');
/** A busy machine shall not make Envoy let through what is over a limit. */
const TIMEOUT_MS = 1_000;

/** All that runs. */
export interface Demo {
  readonly redis: OwnRedis;
  readonly weir: Service;
  readonly upstreamPort: number;
  readonly envoy: Envoy;
  readonly envoyPort: number;
  readonly prometheus: Prometheus;
}

/**
 * Starts one part after the other, and traffic last. What has started is in `closers`, also when something after it
 * fails or `aborted` ends the start between two parts.
 */
export async function demo(closers: (() => unknown)[], aborted: AbortSignal): Promise<Demo> {
  async function started<T>(starting: Promise<T>, close: (part: T) => unknown): Promise<T> {
    const part = await starting;
    closers.push(() => close(part));
    aborted.throwIfAborted();
    return part;
  }

  const redis = await started(ownRedis(), (it) => it.stop());
  const rules = {
    'shop.yaml': await readFile(here('shop.yaml'), 'utf8'),
    'api.yaml': await readFile(here('api.yaml'), 'utf8'),
  };
  const env = { LOCAL_CACHE_SIZE_IN_BYTES: '1000000' };
  const weir = await started(service({ rules, redis: redis.url, env }), (it) => it.close());
  const app = await started(upstream(), (it) => it.stop());
  const envoyPort = await freePort();
  const proxy = await started(envoy(envoyConfig(envoyPort, weir.grpcPort, app.port)), (it) => it.stop());
  const watcher = await started(prometheus(weir.httpPort, [ALERTS]), (it) => it.close());
  const visitors = traffic(envoyPort);
  closers.push(visitors.stop);
  return { redis, weir, upstreamPort: app.port, envoy: proxy, envoyPort, prometheus: watcher };
}

const header = (name: string, key: string) => ({ request_headers: { header_name: name, descriptor_key: key } });
const ROUTES: readonly RouteConfig[] = [
  { name: 'shop', domain: 'shop', limits: [{ actions: [{ remote_address: {} }] }] },
  { name: 'api', domain: 'api', limits: [{ actions: [header('x-plan', 'plan'), header('x-team', 'team')] }] },
];

function envoyConfig(port: number, grpcPort: number, upstreamPort: number) {
  const listener: EnvoyJson = httpListener({
    name: 'edge',
    port,
    routes: ROUTES,
    denies: false,
    timeoutMs: TIMEOUT_MS,
    retries: false,
    accessLog: '/dev/null',
  });
  return {
    listeners: [listener],
    clusters: [cluster('app', [upstreamPort]), rlsCluster([grpcPort], { healthChecks: false })],
  };
}

/** Answers everything with 200 and remembers nothing, as it may run for days. */
async function upstream(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume();
    response.end('hello from behind Envoy\n');
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}
