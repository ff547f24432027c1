import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

/** A Redis of the replay's own, that can be taken away and given back on the same port. */
export interface OwnRedis {
  readonly port: number;
  get(key: string): Promise<string | null>;
  /** -1 without a time to live, -2 without the key. */
  ttlSeconds(key: string): Promise<number>;
  set(key: string, value: number | string, ttlSeconds: number): Promise<void>;
  keys(): Promise<string[]>;
  /** Kills it; what it held is gone. */
  stop(): Promise<void>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

export async function ownRedis(): Promise<OwnRedis> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'weir-oracle-redis-'));
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => 50 });
  client.on('error', () => {});
  let child: OwnProcess;
  const start = async () => {
    child = await ownProcess({
      name: 'redis-server',
      command: 'redis-server',
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir],
    });
    await eventually('redis-server to answer PING', async () => {
      if (!child.running()) throw new Error(child.output());
      return (await client.ping()) === 'PONG';
    });
  };
  await start();
  return {
    port,
    get: (key) => client.get(key),
    ttlSeconds: (key) => client.ttl(key),
    set: async (key, value, ttlSeconds) => void (await client.set(key, value, 'EX', ttlSeconds)),
    keys: () => client.keys('*'),
    stop: async () => void (await child.kill()),
    start,
    freeze: () => child.signal('SIGSTOP'),
    thaw: () => child.signal('SIGCONT'),
    async close() {
      client.disconnect();
      await child.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
