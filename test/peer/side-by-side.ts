import type { Redis } from 'ioredis';
import { type Caller, caller } from '../oracle/caller.ts';
import { type Server, server } from '../oracle/server.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';

/** One of the two services, with a Redis of its own unless it is given one. */
export interface Side {
  readonly server: Server;
  readonly caller: Caller;
  readonly redis: OwnRedis;
  stop(): Promise<void>;
}

export interface SideOptions {
  readonly command: string;
  readonly rules: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Belongs to whoever gives it. */
  readonly redis?: OwnRedis;
}

export async function side({ command, rules, env, redis: given }: SideOptions): Promise<Side> {
  const redis = given ?? (await ownRedis());
  const started = await server({ command, rules, env, redisPort: redis.port }).catch(async (error) => {
    if (given === undefined) await redis.stop();
    throw error;
  });
  const asks = caller(started.grpcAddress);
  return {
    server: started,
    caller: asks,
    redis,
    async stop() {
      asks.close();
      await started.stop();
      if (given === undefined) await redis.stop();
    },
  };
}

/** Every counter with its value. */
export async function counters(client: Redis): Promise<Readonly<Record<string, string>>> {
  const keys = (await client.keys('*')).sort();
  const values = keys.length === 0 ? [] : await client.mget(keys);
  return Object.fromEntries(keys.map((key, i) => [key, values[i] ?? '']));
}

/** Seconds that each counter has to live. */
export async function lives(client: Redis): Promise<Readonly<Record<string, number>>> {
  const keys = (await client.keys('*')).sort();
  const ttls = await Promise.all(keys.map((key) => client.ttl(key)));
  return Object.fromEntries(keys.map((key, i) => [key, ttls[i] as number]));
}

/** What the services tell of rules, by series; times and gauges of the process are each one's own. */
export async function ruleSeries(of: Server): Promise<Readonly<Record<string, number>>> {
  const told = Object.entries(await of.metrics()).filter(
    ([series, value]) => /^ratelimit_service_(rate_limit|domain|global)/.test(series) && value !== 0,
  );
  return Object.fromEntries(told.sort(([a], [b]) => (a < b ? -1 : 1)));
}
