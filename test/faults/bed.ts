import { CallError, type RlsClient, rlsClient } from '../../src/grpc/client.ts';
import { type OwnRedis, type OwnRedisOptions, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';

/** A weir of its own process, and callers of it. */
export interface Serving {
  readonly weir: Service;
  /** Waits for an answer for as long as it takes. */
  readonly patient: RlsClient;
  /** Hangs up after 30 ms. */
  readonly hasty: RlsClient;
  /** One number of /metrics; the sum when there are several of the name. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
}

/** The same, and the Redis it counts in. */
export interface Bed extends Serving {
  readonly redis: OwnRedis;
}

/** So many that nobody is refused, and few enough for a uint32. */
const PHASE_LIMIT = 4_000_000_000;

const RULES = {
  'faults.yaml': `domain: faults
descriptors:
  - { key: phase, rate_limit: { unit: day, requests_per_unit: ${PHASE_LIMIT} } }
  - { key: two, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: uncounted, on_store_failure: allow, rate_limit: { unit: day, requests_per_unit: 2 } }
`,
};

export async function bed(options: OwnRedisOptions = {}, env: Readonly<Record<string, string>> = {}): Promise<Bed> {
  const redis = await ownRedis(options);
  const made = await serving(redis.url, env);
  return {
    ...made,
    redis,
    async close() {
      await made.close();
      await redis.stop();
    },
  };
}

/** `redis` is what REDIS_URL shall be. */
export async function serving(redis: string, env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const weir = await service({ rules: RULES, redis, env: { USE_PROMETHEUS: 'false', ...env } });
  const address = `127.0.0.1:${weir.grpcPort}`;
  const patient = rlsClient(address, { timeoutMs: 30_000 });
  // Another spelling, and so a connection of its own: one with many hang-ups is closed by HTTP/2 of Node.
  const hasty = rlsClient(`ipv4:${address}`, { timeoutMs: 30 });
  return {
    weir,
    patient,
    hasty,
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${weir.adminPort}/metrics`)).text();
      const found = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
      return found.reduce((sum, [, value]) => sum + Number(value), 0);
    },
    async close() {
      patient.close();
      hasty.close();
      await weir.close();
    },
  };
}

/** `OK`, `OVER_LIMIT`, or the number of the gRPC status. */
export async function ask(client: RlsClient, key: string, value: string): Promise<string> {
  try {
    const { overallCode } = await client.check({ domain: 'faults', descriptors: [{ entries: [{ key, value }] }] });
    return overallCode;
  } catch (error) {
    if (error instanceof CallError) return String(error.code);
    throw error;
  }
}

/** What each counter stands at after the call; the number of the gRPC status when there is no answer. */
export async function counts(client: RlsClient, values: readonly string[]): Promise<readonly number[] | string> {
  const descriptors = values.map((value) => ({ entries: [{ key: 'phase', value }] }));
  try {
    const { statuses } = await client.check({ domain: 'faults', descriptors });
    return statuses.map(({ limitRemaining }) => PHASE_LIMIT - limitRemaining);
  } catch (error) {
    if (error instanceof CallError) return String(error.code);
    throw error;
  }
}

/** Counters of a phase, added up. */
export async function billed({ redis }: Bed, phase: string): Promise<number> {
  const keys = await redis.client.keys(`*phase_${phase}_*`);
  const counts = keys.length === 0 ? [] : await redis.client.mget(keys);
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

/** How often each outcome came. */
export function tally(outcomes: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[String(outcome)] = (counts[String(outcome)] ?? 0) + 1;
  return counts;
}
