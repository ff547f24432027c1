import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { freePort } from './port.ts';
import { ownProcess } from './process.ts';
import { type OwnRedis, ownRedis, type ServerTls, tlsArguments, tlsOfClient } from './redis.ts';

/** 1 master, 2 replicas and 3 sentinels of the tests. */
export interface OwnSentinel {
  /** `m,127.0.0.1:port,...`, as REDIS_URL has it. */
  readonly url: string;
  readonly servers: readonly OwnRedis[];
  /** The server that the sentinels call master. */
  master(): Promise<OwnRedis>;
  /** A planned failover: the old master lives on and becomes a replica. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

export interface OwnSentinelOptions {
  /** Of the servers. */
  readonly password?: string;
  /** Of the sentinels. */
  readonly sentinelPassword?: string;
  /** Of the servers, and of the sentinels, who must trust each other. */
  readonly tls?: ServerTls;
  readonly sentinelTls?: ServerTls;
  /** Sentinels close the connections of a master they demote. With this they don't, as other tools don't. */
  readonly keepsConnections?: boolean;
}

const NAME = 'm';
const REPLICAS = 2;
const SENTINELS = 3;

export async function ownSentinel(wanted: OwnSentinelOptions = {}): Promise<OwnSentinel> {
  const { password, sentinelPassword, tls, sentinelTls, keepsConnections = false } = wanted;
  const login = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const options = {
    args: [...login, '--repl-diskless-sync-delay', '0'],
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
  const first = await ownRedis(options);
  const following = { ...options, args: [...options.args, '--replicaof', '127.0.0.1', String(first.port)] };
  const servers = [first, ...(await Promise.all(Array.from({ length: REPLICAS }, () => ownRedis(following))))];
  // A sentinel that starts before the replicas are known sees them only at its next question, 10 s later.
  await eventually('2 replicas', async () => {
    return String(await first.client.info('replication')).split('state=online').length - 1 === REPLICAS;
  });
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 2`,
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 2000`,
    // CLIENT KILL becomes a command that takes the same words and does nothing.
    ...(keepsConnections ? [`sentinel rename-command ${NAME} CLIENT EXISTS`] : []),
    ...(password === undefined ? [] : [`sentinel auth-pass ${NAME} ${password}`]),
    ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
  ];
  const places = await Promise.all(Array.from({ length: SENTINELS }, async () => [await freePort(), runId()] as const));
  const sentinels = await Promise.all(
    places.map(([port, id]) => {
      // They are told of each other, who would else say hello every 2 s.
      const others = places.filter(([theirs]) => theirs !== port);
      const known = others.map(([theirs, other]) => `sentinel known-sentinel ${NAME} 127.0.0.1 ${theirs} ${other}`);
      return oneSentinel({
        port,
        lines: [...lines, `sentinel myid ${id}`, ...known],
        ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
        ...(sentinelTls === undefined ? {} : { tls: sentinelTls }),
      });
    }),
  );
  for (const { client } of sentinels) {
    const told = async (what: 'SENTINELS' | 'REPLICAS') =>
      ((await client.call('SENTINEL', what, NAME)) as string[][]).map((pairs) => pairs.join(' '));
    await eventually(
      'a sentinel that has met the others, and has been told by both replicas how they are',
      async () => {
        const met = (await told('SENTINELS')).filter((one) => !one.includes('disconnected'));
        const heard = (await told('REPLICAS')).filter((one) => one.includes('master-link-status ok'));
        return met.length === SENTINELS - 1 && heard.length === REPLICAS;
      },
    );
  }
  const { client } = sentinels[0]!;
  return {
    url: [NAME, ...sentinels.map(({ url }) => url)].join(),
    servers,
    async master() {
      const [, port] = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
      return servers.find((server) => String(server.port) === port)!;
    },
    async failover() {
      await client.call('SENTINEL', 'FAILOVER', NAME);
    },
    async stop() {
      await Promise.all(sentinels.map((sentinel) => sentinel.stop()));
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** As a server of Redis names itself. */
const runId = (): string => randomBytes(20).toString('hex');

/** A sentinel alone. */
export interface OneSentinel {
  /** `127.0.0.1:port` */
  readonly url: string;
  /** For asking and telling. */
  readonly client: Redis;
  stop(): Promise<void>;
}

export interface OneSentinelOptions {
  /** Of its configuration: `sentinel monitor m 127.0.0.1 6379 1`. */
  readonly lines: readonly string[];
  /** A free one when absent. */
  readonly port?: number;
  readonly password?: string;
  readonly tls?: ServerTls;
}

export async function oneSentinel({ lines, port: wanted, password, tls }: OneSentinelOptions): Promise<OneSentinel> {
  // It writes its configuration anew as it learns.
  const directory = await mkdtemp(path.join(tmpdir(), 'weir-sentinel-'));
  const port = wanted ?? (await freePort());
  const file = path.join(directory, 'sentinel.conf');
  const own = [
    ...(tls === undefined ? [`port ${port}`] : tlsArguments(port, tls).map((words) => words.join(' '))),
    'bind 127.0.0.1',
    `dir ${directory}`,
    ...(password === undefined ? [] : [`requirepass ${password}`]),
  ];
  await writeFile(file, `${[...own, ...lines].join('\n')}\n`);
  const child = await ownProcess({ name: 'sentinel', command: 'redis-server', args: [file, '--sentinel'] });
  const client = new Redis({
    port,
    host: '127.0.0.1',
    protocol: 2,
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: () => 20,
    ...(tls === undefined ? {} : { tls: tlsOfClient(tls) }),
    ...(password === undefined ? {} : { password }),
  });
  client.on('error', () => {});
  await eventually('the sentinel to answer', async () => {
    if (!child.running()) throw new Error(child.output());
    return client.status === 'ready';
  });
  return {
    url: `127.0.0.1:${port}`,
    client,
    async stop() {
      client.disconnect();
      await child.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
