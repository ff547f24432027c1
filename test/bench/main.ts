/** `make bench`: CPU time per decision beside a bare gRPC echo, in one run. Writes RESULTS.md. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { ownRedis } from '../support/redis.ts';
import { type LoadResult, load } from './load.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.join(HERE, '../..');
const WARM_UP_CALLS = 20_000;
const CALLS = 100_000;
/** Alternating, so that what the machine does meanwhile meets all of them; the median is told. */
const ROUNDS = 5;
const REFERENCE = 'grpc-js echo';
const RULES = `domain: bench
descriptors:
  - key: user
    rate_limit: { unit: hour, requests_per_unit: 4000000000 }
`;

interface Candidate {
  readonly name: string;
  readonly port: number;
  readonly process: OwnProcess;
  readonly pids: Readonly<Record<string, number>>;
}

const dir = mkdtempSync(path.join(tmpdir(), 'weir-bench-'));
const redis = await ownRedis();
const running: OwnProcess[] = [];
try {
  writeFileSync(path.join(dir, 'rules.yaml'), RULES);
  execFileSync('taskset', ['-cp', '1', String(redis.pid)]);
  const candidates = [
    await echo(REFERENCE, path.join(HERE, 'echo.ts')),
    await echo('wire echo', path.join(HERE, '../wire/echo.ts')),
    await weir('memory store on grpc-js', {}),
    await weir('memory store on wire', { GRPC_TRANSPORT: 'wire' }),
    await weir('Redis store on grpc-js', { REDIS_URL: redis.url }, { redis: redis.pid }),
    await weir('Redis store on wire', { REDIS_URL: redis.url, GRPC_TRANSPORT: 'wire' }, { redis: redis.pid }),
  ];
  const results = await measure(candidates);
  const inProcess = JSON.parse(
    run('taskset', ['-c', '0', process.execPath, '--import=tsx', path.join(HERE, 'decide.ts')]),
  );
  const report = reportOf(results, inProcess);
  writeFileSync(path.join(HERE, 'RESULTS.md'), report);
  console.log(report);
} finally {
  for (const each of running) await each.stop();
  await redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function echo(name: string, file: string): Promise<Candidate> {
  const port = await freePort();
  return start(name, port, ['--import=tsx', file, String(port)], {}, {}, 'ready');
}

async function weir(
  name: string,
  env: Record<string, string>,
  others: Record<string, number> = {},
): Promise<Candidate> {
  const port = await freePort();
  const ports = ['--port', await freePort(), '--debug-port', await freePort(), '--grpc-port', port].map(String);
  const args = [path.join(ROOT, 'dist/main.js'), 'serve', '--rules', path.join(dir, 'rules.yaml'), ...ports];
  return start(name, port, args, env, others, 'serving: ');
}

/** On core 0 alone; everything else of the bench is on core 1. */
async function start(
  name: string,
  port: number,
  args: readonly string[],
  env: Record<string, string>,
  others: Record<string, number>,
  ready: string,
): Promise<Candidate> {
  const child = await ownProcess({ name, command: 'taskset', args: ['-c', '0', process.execPath, ...args], env });
  running.push(child);
  await eventually(`${name} is ready`, () => child.output().includes(ready));
  return { name, port, process: child, pids: { server: child.pid, ...others } };
}

async function measure(candidates: readonly Candidate[]): Promise<Map<string, LoadResult[]>> {
  const body = requestBytes();
  const results = new Map<string, LoadResult[]>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, port, pids } of candidates) {
      const calls = round === 0 ? WARM_UP_CALLS : CALLS;
      const result = await load({ port, pids, calls, body, dir });
      if (round > 0) results.set(name, [...(results.get(name) ?? []), result]);
      if (round > 0) console.log(`${round}/${ROUNDS} ${name}: ${result.cpuUs.server?.toFixed(1)} us a call`);
    }
  }
  return results;
}

function requestBytes(): Uint8Array {
  const method = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit;
  if (method === undefined) throw new Error('rls.proto lacks ShouldRateLimit');
  return method.requestSerialize({ domain: 'bench', descriptors: [{ entries: [{ key: 'user', value: 'u1' }] }] });
}

function reportOf(
  results: Map<string, LoadResult[]>,
  inProcess: { decisionsPerSecond: number; matchesPerSecond: Record<string, number> },
): string {
  const echoUs = median((results.get(REFERENCE) ?? []).map(({ cpuUs }) => cpuUs.server ?? Number.NaN));
  const rows = [...results].map(([name, rounds]) => {
    const us = median(rounds.map(({ cpuUs }) => cpuUs.server ?? Number.NaN));
    const redisUs =
      rounds[0]?.cpuUs.redis === undefined
        ? ''
        : median(rounds.map(({ cpuUs }) => cpuUs.redis ?? Number.NaN)).toFixed(1);
    const perSecond = Math.round(median(rounds.map(({ callsPerSecond }) => callsPerSecond)));
    return `| ${name} | ${us.toFixed(1)} | ${(us / echoUs).toFixed(2)} | ${redisUs} | ${perSecond} |`;
  });
  const { 10: ten = 0, 100000: many = 0 } = inProcess.matchesPerSecond;
  return `# What a decision costs

Made by \`make bench\`. Commit ${run('git', ['rev-parse', '--short', 'HEAD'])}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}.

## Over gRPC

One descriptor, one entry, one hot key. The server is on core 0; h2load (8 connections, 32 streams each) and Redis are on
core 1. ${CALLS} calls a round after ${WARM_UP_CALLS} of warm-up, ${ROUNDS} alternating rounds, medians. CPU is user and
system time from /proc. An echo answers constant bytes and does nothing else; that of grpc-js is the yardstick.

| server | CPU us per call | of the echo | Redis CPU us per call | calls per second on one core |
|---|---|---|---|---|
${rows.join('\n')}

## In process

| what | per second on one core |
|---|---|
| \`decide()\`, memory store, metrics on, 1,000 keys | ${inProcess.decisionsPerSecond} |
| \`match()\` among 10 exact siblings | ${ten} |
| \`match()\` among 100,000 exact siblings | ${many} (${(ten / many).toFixed(2)} times the cost) |
`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', cwd: ROOT }).trim();
}
