import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { WEIR } from './built.ts';
import { type Files, mounted } from './config-map.ts';
import { eventually } from './eventually.ts';
import { freePort } from './port.ts';
import { type Ending, type OwnProcess, ownProcess } from './process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_DEADLINE_MS = 30_000;

/** For a shell: a checkout may lie below a path with spaces. */
const MAIN = WEIR.replace(/[^\w/.-]/g, '\\$&');

/** What is tested: weir as `npm run build` made it, or whatever `SERVICE_UNDER_TEST` names. */
export const SERVICE_COMMAND = process.env.SERVICE_UNDER_TEST || `node ${MAIN} serve`;

/** File name -> YAML text, or the object to make it of. */
export type Rules = Readonly<Record<string, string | object>>;

export interface ServiceOptions {
  readonly rules: Rules;
  /** host:port of a Redis; without it weir counts in memory. */
  readonly redis?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Rules lie below `..data` as Kubernetes mounts a ConfigMap, and `swap` replaces them at once. */
  readonly configMap?: boolean;
  /**
   * `open`: started as soon as it has read its rules, for a service that cannot be healthy yet. `listening`: as soon as
   * its ports are open. Default `healthy`.
   */
  readonly until?: 'healthy' | 'open' | 'listening';
}

export interface Service {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly adminPort: number;
  /** Of PROMETHEUS_ADDR. */
  readonly metricsPort: number;
  /** Where the rules files lie, for tests that change them one by one. */
  readonly rulesDir: string;
  /** Of the process that runs now. */
  process(): OwnProcess;
  /** Puts a whole new set of rules in place by one rename, as a ConfigMap update does. */
  swap(rules: Rules): Promise<void>;
  /** kill -9, ports stay reserved for `start`. */
  kill(): Promise<Ending>;
  /** Starts it again on the same ports and the same rules. */
  start(): Promise<void>;
  stop(): Promise<Ending>;
  /** Stops it and removes its files. */
  close(): Promise<void>;
}

/** A path, and what its answer must be. */
interface Probe {
  readonly path: string;
  readonly isUp: (status: number, body: string) => boolean;
}

const PROBES: Readonly<Record<'healthy' | 'open' | 'listening', Probe>> = {
  healthy: { path: '/healthcheck', isUp: (status) => status === 200 },
  listening: { path: '/livez', isUp: (status) => status === 200 },
  open: { path: '/readyz', isUp: (_status, body) => (JSON.parse(body) as { rules: string }).rules !== 'waiting' },
};

/** Starts the service under test and resolves when GET /healthcheck answers 200, or whatever `until` says. */
export async function service(options: ServiceOptions): Promise<Service> {
  const root = await mkdtemp(join(tmpdir(), 'weir-e2e-'));
  const rulesDir = join(root, 'ratelimit', 'config');
  await mkdir(rulesDir, { recursive: true });
  const swap = (rules: Rules) => mounted(rulesDir, texts(rules));
  if (options.configMap) await swap(options.rules);
  else await writeRules(rulesDir, options.rules);

  const ports = { http: await freePort(), grpc: await freePort(), admin: await freePort(), metrics: await freePort() };
  const env: Record<string, string> = {
    HOST: '127.0.0.1',
    PORT: String(ports.http),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(ports.grpc),
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: String(ports.admin),
    USE_STATSD: 'false',
    USE_PROMETHEUS: 'true',
    PROMETHEUS_ADDR: `127.0.0.1:${ports.metrics}`,
    RUNTIME_ROOT: root,
    RUNTIME_SUBDIRECTORY: 'ratelimit',
    RUNTIME_APPDIRECTORY: 'config',
    RUNTIME_WATCH_ROOT: 'false',
    RUNTIME_IGNOREDOTFILES: 'true',
    STATS_FLUSH_INTERVAL: '1s',
    EXPIRATION_JITTER_MAX_SECONDS: '0',
    LOG_LEVEL: 'warn',
    // A whole suite may be run on the other transport.
    ...(process.env.GRPC_TRANSPORT === undefined ? {} : { GRPC_TRANSPORT: process.env.GRPC_TRANSPORT }),
    ...(options.redis === undefined ? {} : { REDIS_SOCKET_TYPE: 'tcp', REDIS_URL: options.redis }),
    ...options.env,
  };
  const removeFiles = () => rm(root, { recursive: true, force: true });
  const probe = PROBES[options.until ?? 'healthy'];
  let running = await launch(env, ports.http, probe).catch(async (error: unknown) => {
    await removeFiles();
    throw error;
  });
  return {
    grpcPort: ports.grpc,
    httpPort: ports.http,
    adminPort: ports.admin,
    metricsPort: ports.metrics,
    rulesDir,
    process: () => running,
    swap,
    kill: () => running.kill(),
    async start() {
      running = await launch(env, ports.http, probe);
    },
    stop: () => running.stop(),
    async close() {
      await running.stop();
      await removeFiles();
    },
  };
}

async function launch(env: Record<string, string>, port: number, { path, isUp }: Probe): Promise<OwnProcess> {
  // `exec` keeps the pid: signals go to the service, not to a shell around it.
  const child = await ownProcess({
    name: 'service under test',
    command: '/bin/sh',
    args: ['-c', `exec ${SERVICE_COMMAND}`],
    env,
    cwd: ROOT,
  });
  try {
    await eventually(
      `GET ${path} to say that it is up`,
      async () => {
        if (!child.running()) return 'ended';
        const answer = await fetch(`http://127.0.0.1:${port}${path}`);
        return isUp(answer.status, await answer.text()) ? 'there' : undefined;
      },
      START_DEADLINE_MS,
    );
    if (!child.running()) throw new Error(`it ended with code ${(await child.ended).code}`);
  } catch (error) {
    await child.stop();
    throw new Error(`${SERVICE_COMMAND}: ${(error as Error).message}\n${child.output()}`);
  }
  return child;
}

async function writeRules(dir: string, rules: Rules): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const [name, text] of Object.entries(texts(rules))) await writeFile(join(dir, name), text);
}

function texts(rules: Rules): Files {
  const text = (content: string | object) => (typeof content === 'string' ? content : stringify(content));
  return Object.fromEntries(Object.entries(rules).map(([name, content]) => [name, text(content)]));
}
