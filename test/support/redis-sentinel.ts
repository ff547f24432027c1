import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { freePort } from './port.ts';
import { type OwnProcess, ownProcess } from './process.ts';
import { type OwnRedis, ownRedis } from './redis.ts';

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
  /** Sentinels close the connections of a master they demote. With this they don't, as other tools don't. */
  readonly keepsConnections?: boolean;
}

const NAME = 'm';
const REPLICAS = 2;

export async function ownSentinel(wanted: OwnSentinelOptions = {}): Promise<OwnSentinel> {
  const { password, sentinelPassword, keepsConnections = false } = wanted;
  const directory = await mkdtemp(path.join(tmpdir(), 'weir-sentinel-'));
  const login = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const options = {
    args: [...login, '--repl-diskless-sync-delay', '0'],
    ...(password === undefined ? {} : { password }),
  };
  const first = await ownRedis(options);
  const servers = [first];
  for (let i = 0; i < REPLICAS; i++) {
    servers.push(
      await ownRedis({ ...options, args: [...options.args, '--replicaof', '127.0.0.1', String(first.port)] }),
    );
  }
  // A sentinel that starts before the replicas are known sees them only at its next question, 10 s later.
  await eventually('2 replicas', async () => {
    return String(await first.client.info('replication')).split('state=online').length - 1 === REPLICAS;
  });
  const watchers: OwnProcess[] = [];
  const ports: number[] = [];
  for (let i = 0; i < 3; i++) {
    const port = await freePort();
    const file = path.join(directory, `${i}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 2`,
      `sentinel down-after-milliseconds ${NAME} 500`,
      `sentinel failover-timeout ${NAME} 2000`,
      // CLIENT KILL becomes a command that takes the same words and does nothing.
      ...(keepsConnections ? [`sentinel rename-command ${NAME} CLIENT EXISTS`] : []),
      ...(password === undefined ? [] : [`sentinel auth-pass ${NAME} ${password}`]),
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    watchers.push(await ownProcess({ name: 'sentinel', command: 'redis-server', args: [file, '--sentinel'] }));
    ports.push(port);
  }
  const clients = ports.map((port) => {
    const client = new Redis({
      port,
      host: '127.0.0.1',
      protocol: 2,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
      disableClientInfo: true,
      retryStrategy: () => 20,
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    });
    return client.on('error', () => {});
  });
  for (const client of clients) {
    await eventually('a sentinel that knows the others', async () => {
      const told = (await client.call('SENTINEL', 'MASTER', NAME)) as string[];
      const number = (name: string): number => Number(told[told.indexOf(name) + 1]);
      return number('num-slaves') === REPLICAS && number('num-other-sentinels') === 2;
    });
  }
  return {
    url: [NAME, ...ports.map((port) => `127.0.0.1:${port}`)].join(),
    servers,
    async master() {
      const [, port] = (await clients[0]!.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
      return servers.find((server) => String(server.port) === port)!;
    },
    async failover() {
      await clients[0]!.call('SENTINEL', 'FAILOVER', NAME);
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await Promise.all(watchers.map((watcher) => watcher.stop()));
      await Promise.all(servers.map((server) => server.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
