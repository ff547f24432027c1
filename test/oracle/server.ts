import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import type { HttpAsk } from './scenario.ts';

const HEALTHY_MS = 20_000;
const HTTP_MS = 5_000;
const START_TRIES = 3;

export interface ServerOptions {
  /** One plain command line, run as `exec COMMAND`. */
  readonly command: string;
  /** File name -> text, below the rules directory. */
  readonly rules: Readonly<Record<string, string>>;
  /** Port of a Redis on 127.0.0.1; null: none is named, and the server counts in memory. */
  readonly redisPort: number | null;
  /** On top of the drop-in environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** The server under test, with the environment that the Go service would be started with. */
export interface Server {
  readonly grpcAddress: string;
  http(ask: Omit<HttpAsk, 'body'> & { readonly body?: string | undefined }): Promise<HttpReply>;
  /** Series -> value. */
  metrics(): Promise<Readonly<Record<string, number>>>;
  /** Renames the file into place: one event, never half a file. */
  write(name: string, text: string): void;
  remove(name: string): void;
  log(): string;
  stop(): Promise<void>;
}

/** Resolves when GET /healthcheck has answered 200. */
export async function server(options: ServerOptions): Promise<Server> {
  const root = mkdtempSync(join(tmpdir(), 'weir-oracle-'));
  const config = join(root, 'ratelimit', 'config');
  mkdirSync(config, { recursive: true });
  for (const [name, text] of Object.entries(options.rules)) {
    mkdirSync(dirname(join(config, name)), { recursive: true });
    writeFileSync(join(config, name), text);
  }
  const remove = () => rmSync(root, { recursive: true, force: true });
  const { child, ports } = await launch(options, root).catch((error) => {
    remove();
    throw error;
  });
  let asides = 0;
  const http: Server['http'] = (ask) => sendHttp(ports[ask.on], ask);
  return {
    grpcAddress: `127.0.0.1:${ports.grpc}`,
    http,
    async metrics() {
      const { text } = await http({ on: 'metrics', path: options.env.PROMETHEUS_PATH ?? '/metrics' });
      return seriesOf(text);
    },
    write(name, text) {
      const aside = join(root, `aside-${++asides}`);
      writeFileSync(aside, text);
      renameSync(aside, join(config, name));
    },
    remove: (name) => rmSync(join(config, name)),
    log: () => child.output(),
    async stop() {
      await child.stop();
      remove();
    },
  };
}

type Ports = Readonly<Record<HttpAsk['on'] | 'grpc', number>>;

/** A port that was free a moment ago may be taken; then another try with other ports. */
async function launch(options: ServerOptions, root: string): Promise<{ child: OwnProcess; ports: Ports }> {
  for (let tries = 1; ; tries++) {
    const ports = {
      http: await freePort(),
      grpc: await freePort(),
      debug: await freePort(),
      metrics: await freePort(),
    };
    const child = await ownProcess({
      name: 'server under test',
      command: '/bin/bash',
      args: ['-c', `exec ${options.command}`],
      env: environment(options, root, ports),
    });
    try {
      await eventually('GET /healthcheck to answer 200', () => isHealthy(child, ports.http), HEALTHY_MS);
      if (!child.running()) throw new Error(`it ended with code ${(await child.ended).code}`);
      return { child, ports };
    } catch (error) {
      await child.stop();
      const taken = /address already in use|EADDRINUSE/i.test(child.output());
      if (taken && tries < START_TRIES) continue;
      throw new Error(`the server never became healthy: ${(error as Error).message}\n${child.output().slice(-2_000)}`);
    }
  }
}

async function isHealthy(child: OwnProcess, port: number): Promise<boolean> {
  if (!child.running()) return true;
  const { status, text } = await sendHttp(port, { path: '/healthcheck' });
  if (status !== 200) throw new Error(`it answers ${status} ${text}`);
  return true;
}

function environment({ env, redisPort }: ServerOptions, root: string, ports: Ports): Record<string, string> {
  return {
    LANG: 'C.UTF-8',
    HOST: '127.0.0.1',
    GRPC_HOST: '127.0.0.1',
    DEBUG_HOST: '127.0.0.1',
    PORT: String(ports.http),
    GRPC_PORT: String(ports.grpc),
    DEBUG_PORT: String(ports.debug),
    RUNTIME_ROOT: root,
    RUNTIME_SUBDIRECTORY: 'ratelimit',
    RUNTIME_APPDIRECTORY: 'config',
    RUNTIME_WATCH_ROOT: 'false',
    RUNTIME_IGNOREDOTFILES: 'true',
    ...(redisPort === null ? {} : { REDIS_SOCKET_TYPE: 'tcp', REDIS_URL: `127.0.0.1:${redisPort}` }),
    USE_STATSD: 'false',
    USE_PROMETHEUS: 'true',
    PROMETHEUS_ADDR: `:${ports.metrics}`,
    STATS_FLUSH_INTERVAL: '1s',
    LOG_LEVEL: 'debug',
    EXPIRATION_JITTER_MAX_SECONDS: '0',
    // The Go service's cache keeps a key to the end of its window, and a slow machine takes seconds for a scenario.
    OVER_LIMIT_CACHE_MAX_AGE: '1h',
    ...env,
  };
}

type Ask = { path: string; method?: string; headers?: Readonly<Record<string, string>>; body?: string | undefined };

// `fetch` refuses some of what is asked here: a body on GET, a path as it is written.
function sendHttp(port: number, { path, method = 'GET', headers = {}, body }: Ask): Promise<HttpReply> {
  return new Promise((done, fail) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false, timeout: HTTP_MS };
    const sent = request(options, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      reply.once('error', fail);
      reply.once('end', () =>
        done({ status: reply.statusCode ?? 0, contentType: reply.headers['content-type'] ?? '', text }),
      );
    });
    sent.once('error', fail);
    sent.once('timeout', () => sent.destroy(new Error(`no answer in ${HTTP_MS} ms`)));
    sent.end(body);
  });
}

function seriesOf(exposition: string): Record<string, number> {
  const series: Record<string, number> = {};
  for (const line of exposition.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const cut = line.lastIndexOf(' ');
    series[line.slice(0, cut)] = Number(line.slice(cut + 1));
  }
  return series;
}
