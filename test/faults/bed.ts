import { CallError, type RlsClient, rlsClient } from '../../src/grpc/client.ts';
import { type OwnRedis, type OwnRedisOptions, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';

/** A weir of its own process, and the Redis it counts in. */
export interface Bed {
  readonly redis: OwnRedis;
  readonly weir: Service;
  /** Waits for an answer for as long as it takes. */
  readonly patient: RlsClient;
  /** Hangs up after 30 ms. */
  readonly hasty: RlsClient;
  /** One number of /metrics; the sum when there are several of the name. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
}

const RULES = {
  'faults.yaml': `domain: faults
descriptors:
  - { key: phase, rate_limit: { unit: day, requests_per_unit: 4000000000 } }
  - { key: two, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: uncounted, on_store_failure: allow, rate_limit: { unit: day, requests_per_unit: 2 } }
`,
};

export async function bed(options: OwnRedisOptions = {}, env: Readonly<Record<string, string>> = {}): Promise<Bed> {
  const redis = await ownRedis(options);
  const weir = await service({ rules: RULES, redis: redis.url, env: { USE_PROMETHEUS: 'false', ...env } });
  const address = `127.0.0.1:${weir.grpcPort}`;
  const patient = rlsClient(address, { timeoutMs: 30_000 });
  const hasty = rlsClient(address, { timeoutMs: 30 });
  return {
    redis,
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
      await redis.stop();
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
