import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { freeClusterPort, freePort } from './port.ts';
import { type OwnProcess, ownProcess } from './process.ts';
import { skip } from './skip.ts';

const START_DEADLINE_MS = 30_000;

/** A redis-server of the tests, on a free port of 127.0.0.1, with a directory of its own. */
export interface OwnRedis {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly url: string;
  /** A second listener, for tests of the socket. */
  readonly socketPath: string;
  /** For seeding and looking. Waits while the server is down. */
  readonly client: Redis;
  readonly pid: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty unless `args` make it keep its data. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it and removes what it left. */
  stop(): Promise<void>;
}

export interface OwnRedisOptions {
  /** Added to the command line, and so winning over what stands there. */
  readonly args?: readonly string[];
  /** A free one when absent. */
  readonly port?: number;
  /** TLS and nothing else, to replicas and in a cluster too; callers must show a certificate. */
  readonly tls?: ServerTls;
  /** Default: the redis-server on the PATH. */
  readonly program?: string;
  /** For the client above, when the server asks for it. */
  readonly password?: string;
}

/** Paths of PEM files: who is trusted, and who the server is, to whom its certificate must be good as a client's too. */
export interface ServerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** For a server or a sentinel that shall speak TLS on its port. */
export function tlsArguments(port: number, { ca, cert, key }: ServerTls): readonly (readonly [string, string])[] {
  return [
    ['port', '0'],
    ['tls-port', String(port)],
    ['tls-ca-cert-file', ca],
    ['tls-cert-file', cert],
    ['tls-key-file', key],
    ['tls-replication', 'yes'],
  ];
}

/** For the test's own clients, which look at data and not at names. */
export function tlsOfClient({ ca, cert, key }: ServerTls): ConnectionOptions {
  const [caText, certText, keyText] = [ca, cert, key].map((file) => readFileSync(file));
  return { ca: caText, cert: certText, key: keyText, checkServerIdentity: () => undefined };
}

/**
 * Call it first in a `before` hook. WITHOUT_REDIS=1 skips the suite by name; a missing redis-server without it is an
 * error, so that nobody believes these tests ran.
 */
export function needsRedis(context: Mocha.Context): void {
  if (process.env.WITHOUT_REDIS === '1') skip(context, 'WITHOUT_REDIS=1');
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    throw new Error('redis-server is not on the PATH: apt-get install redis-server, or set WITHOUT_REDIS=1');
  }
}

export async function ownRedis(options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const { args = [], program = 'redis-server', password, tls } = options;
  const free = args.includes('--cluster-enabled') ? freeClusterPort : freePort;
  const port = options.port ?? (await free());
  const directory = await mkdtemp(path.join(tmpdir(), 'weir-redis-'));
  const socketPath = path.join(directory, 'redis.sock');
  const command = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socketPath],
    ...['--save', '', '--appendonly', 'no', '--dir', directory],
    ...(tls === undefined ? [] : tlsArguments(port, tls).flatMap(([name, value]) => [`--${name}`, value])),
    ...args,
  ];
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: () => 20,
    ...(tls === undefined ? {} : { tls: tlsOfClient(tls) }),
    ...(password === undefined ? {} : { password }),
  });
  client.on('error', () => {});
  let server: OwnProcess;

  async function start(): Promise<void> {
    server = await ownProcess({ name: 'redis-server', command: program, args: command });
    await eventually(
      'redis-server to accept connections',
      () => !server.running() || server.output().includes('Ready to accept connections'),
      START_DEADLINE_MS,
    );
    if (!server.running()) throw new Error(`redis-server has ended:\n${server.output()}`);
  }

  await start();
  await client.connect().catch(() => {});
  return {
    port,
    url: `127.0.0.1:${port}`,
    socketPath,
    client,
    get pid() {
      return server.pid;
    },
    async kill() {
      await server.kill();
    },
    restart: start,
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async stop() {
      client.disconnect();
      // Asked to end, a master waits up to 10 s for its replicas; nobody wants its data.
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Milliseconds of CPU the process has used, from /proc. */
export async function cpuMs(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number) as [number, number];
  const TICKS_PER_SECOND = 100;
  return ((user + system) * 1_000) / TICKS_PER_SECOND;
}
