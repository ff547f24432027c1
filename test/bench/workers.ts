import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceNamed } from '../../src/grpc/protos.ts';
import type { Transport } from '../../src/grpc/server.ts';
import { metric } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { childrenOf } from '../workers/bed.ts';
import { lightLoad } from './light-load.ts';
import type { LoadResult } from './load.ts';

export const WORKERS_HEADING = '## More than one core';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const CORES = '0-1';
const CONNECTIONS = 16;
const ROUNDS = 5;
const START_MS = 60_000;
const ADMITTED = 'ratelimit_decisions_total{domain="bench",code="ok"}';

interface Traffic {
  readonly name: string;
  readonly transport: Transport;
  /** Of a request; each has a counter of its own. */
  readonly descriptors: number;
  /** What its rule says beside the limit. */
  readonly rule: string;
  /** Of each round, on new counters: half of them are admitted. */
  readonly calls: number;
}

const TRAFFIC: readonly Traffic[] = [
  { name: 'one', transport: 'grpc-js', descriptors: 1, rule: '', calls: 30_000 },
  { name: 'one', transport: 'wire', descriptors: 1, rule: '', calls: 150_000 },
  // Here weir is what is full, and not the loader and Redis beside it.
  { name: 'ten, hashed', transport: 'wire', descriptors: 10, rule: 'hash_value: true, ', calls: 30_000 },
];

interface Candidate {
  readonly traffic: Traffic;
  readonly workers: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  /** Of all its processes. */
  readonly pids: readonly number[];
  /** A round each. */
  readonly rounds: LoadResult[];
  exact: number;
}

/**
 * Decisions a second with WORKERS=1 and 2 on the same two cores, which Redis and a light loader share with them, and in how many
 * rounds exactly the limit was admitted and every call counted. As Markdown.
 */
export async function workersSection(): Promise<string> {
  const dir = mkdtempSync(path.join(tmpdir(), 'weir-bench-workers-'));
  const redis = await ownRedis();
  const running: OwnProcess[] = [];
  try {
    execFileSync('taskset', ['-cp', CORES, String(redis.pid)]);
    writeFileSync(path.join(dir, 'rules.yaml'), `domain: bench\ndescriptors:\n${TRAFFIC.map(rule).join('')}`);
    const candidates: Candidate[] = [];
    for (const traffic of TRAFFIC) {
      for (const workers of [1, 2]) candidates.push(await start(traffic, workers, redis, dir, running));
    }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const candidate of candidates) await measure(candidate, round, redis, dir);
    }
    return section(candidates);
  } finally {
    for (const each of running) await each.stop();
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function rule(traffic: Traffic): string {
  const { rule: words, calls } = traffic;
  return `  - { key: ${keyOf(traffic)}, ${words}rate_limit: { unit: year, requests_per_unit: ${calls / 2} } }\n`;
}

function keyOf({ transport, descriptors }: Traffic): string {
  return `${transport}-${descriptors}`;
}

async function start(
  traffic: Traffic,
  workers: number,
  redis: OwnRedis,
  dir: string,
  running: OwnProcess[],
): Promise<Candidate> {
  const [grpcPort, httpPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const child = await ownProcess({
    name: `${keyOf(traffic)} with ${workers}`,
    command: 'taskset',
    args: ['-c', CORES, process.execPath, MAIN, 'serve', '--rules', path.join(dir, 'rules.yaml')],
    env: {
      WORKERS: String(workers),
      GRPC_TRANSPORT: traffic.transport,
      HASH_VALUE_SECRET: 'of the bench',
      GRPC_PORT: String(grpcPort),
      PORT: String(httpPort),
      DEBUG_PORT: String(adminPort),
      REDIS_URL: redis.url,
      // What is measured is how much gets through, so no call is to end because it waited.
      REDIS_COMMAND_TIMEOUT: '10s',
    },
  });
  running.push(child);
  await eventually(`${child.name} to serve`, () => child.output().includes('serving: '), START_MS);
  const pids = [child.pid, ...childrenOf(child.pid)];
  return { traffic, workers, grpcPort, adminPort, pids, rounds: [], exact: 0 };
}

/** Round 0 warms up. */
async function measure(candidate: Candidate, round: number, redis: OwnRedis, dir: string): Promise<void> {
  const { traffic, workers, grpcPort: port, adminPort, rounds } = candidate;
  const pids = Object.fromEntries([...candidate.pids.map((pid) => [String(pid), pid]), ['redis', redis.pid]]);
  const { calls, descriptors } = traffic;
  const admittedBefore = await metric(adminPort, ADMITTED);
  const body = requestBytes(traffic, `${workers}-${round}`);
  const result = await lightLoad({ port, pids, calls, bodies: [body], dir, cores: CORES, connections: CONNECTIONS });
  const admitted = (await metric(adminPort, ADMITTED)) - admittedBefore;
  const keys = await redis.client.keys('*');
  const counts = await redis.client.mget(keys);
  await redis.client.flushall();
  if (round === 0) return;
  rounds.push(result);
  const allCounted = counts.length === descriptors && counts.every((count) => Number(count) === calls);
  if (admitted === calls / 2 && result.allowed === admitted && allCounted) candidate.exact++;
  console.log(`${round}/${ROUNDS} ${keyOf(traffic)}, ${workers}: ${Math.round(result.callsPerSecond)} a second`);
}

function section(candidates: readonly Candidate[]): string {
  const perSecond = ({ rounds }: Candidate) => median(rounds.map(({ callsPerSecond }) => callsPerSecond));
  const rows = candidates.map((candidate) => {
    const { traffic, workers, rounds, exact } = candidate;
    const alone = candidates.find((other) => other.traffic === traffic && other.workers === 1) ?? candidate;
    const redisUs = median(rounds.map(({ cpuUs }) => cpuUs.redis ?? Number.NaN));
    const weirUs = median(
      rounds.map(({ cpuUs: { redis: _, ...weir } }) => Object.values(weir).reduce((a, b) => a + b)),
    );
    const growth = (perSecond(candidate) / perSecond(alone)).toFixed(2);
    const costs = `${weirUs.toFixed(1)} | ${redisUs.toFixed(2)}`;
    return `| ${traffic.transport} | ${traffic.name} | ${workers} | ${Math.round(perSecond(candidate))} | ${growth} | ${costs} | ${exact} of ${ROUNDS} |`;
  });
  return `Made by \`make bench-workers\` too. ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus()[0]?.model}. weir, Redis and the
loader of light-load.ts (${CONNECTIONS} connections, 32 streams each) share cores ${CORES}, so that weir may grow by what they leave. New counters for
each round, of which half of the calls are admitted. ${ROUNDS} alternating rounds, medians. Exact: /metrics tells that just the
limit was admitted, and every counter in Redis that every call was counted.

| transport | descriptors | WORKERS | decisions a second | of one | weir's CPU us | Redis' CPU us | exact rounds |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}

function requestBytes(traffic: Traffic, name: string): Uint8Array {
  const method = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit;
  if (method === undefined) throw new Error('rls.proto lacks ShouldRateLimit');
  const descriptors = Array.from({ length: traffic.descriptors }, (_, i) => ({
    entries: [{ key: keyOf(traffic), value: `${name}-${i}` }],
  }));
  return method.requestSerialize({ domain: 'bench', descriptors });
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
