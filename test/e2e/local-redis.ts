import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

export interface LocalRedis {
  /** host:port, as REDIS_URL wants it. */
  readonly url: string;
  process(): OwnProcess;
  /** A counter's value; undefined when there is no such key. */
  counter(key: string): Promise<number | undefined>;
  kill(): Promise<void>;
  /** Again on the same port, empty. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function localRedis(): Promise<LocalRedis> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'weir-redis-'));
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  });
  client.on('error', () => {});
  const launch = async () => {
    const child = await ownProcess({
      name: 'redis-server',
      command: 'redis-server',
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir],
    });
    try {
      await eventually('redis-server to answer PING', async () => (await client.ping()) === 'PONG');
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${child.output()}`);
    }
    return child;
  };
  let running = await launch();
  return {
    url: `127.0.0.1:${port}`,
    process: () => running,
    async counter(key) {
      const value = await client.get(key);
      return value === null ? undefined : Number(value);
    },
    async kill() {
      await running.kill();
    },
    async start() {
      running = await launch();
    },
    async stop() {
      client.disconnect();
      await running.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
