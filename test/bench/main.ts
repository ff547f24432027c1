/** `make bench`: CPU time per decision beside a bare gRPC echo and by kind of limit, in one run. Writes RESULTS.md. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { ownRedis } from '../support/redis.ts';
import { DOMAIN, KINDS, type Kind, rulesOfKinds } from './kinds.ts';
import { lightLoad } from './light-load.ts';
import { type Load, type LoadResult, load } from './load.ts';
import { type InProcess, type Results, reportOf, type Sizes } from './report.ts';
import { sizes as keySizes } from './sizes.ts';
import { WORKERS_HEADING, workersSection } from './workers.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.join(HERE, '../..');

interface Server {
  readonly port: number;
  /** The pids whose CPU time is read, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

interface Candidate {
  readonly name: string;
  readonly server: Server;
  readonly kind: Kind;
}

const PLAIN = KINDS[0] as Kind;
const SIZES: Sizes = { calls: 100_000, warmUpCalls: 20_000, rounds: 5 };
/** Of a kind, asked in turn. */
const KEYS = 1_000;
const GRPC_JS = { GRPC_TRANSPORT: 'grpc-js' };

const dir = mkdtempSync(path.join(tmpdir(), 'weir-bench-'));
const redis = await ownRedis();
const running: OwnProcess[] = [];
try {
  writeFileSync(path.join(dir, 'rules.yaml'), rulesOfKinds());
  execFileSync('taskset', ['-cp', '1', String(redis.pid)]);
  const memory = await weir('memory', GRPC_JS);
  const counting = await weir('Redis', { ...GRPC_JS, REDIS_URL: redis.url }, { redis: redis.pid });
  const memoryOnWire = await weir('memory on wire', {});
  const onWire = await weir('Redis on wire', { REDIS_URL: redis.url }, { redis: redis.pid });
  const beside = [
    { name: 'grpc-js echo', server: await echo('grpc-js echo', 'echo.ts'), kind: PLAIN },
    { name: 'memory store', server: memory, kind: PLAIN },
    { name: 'Redis store', server: counting, kind: PLAIN },
    { name: 'wire echo', server: await echo('wire echo', '../wire/echo.ts'), kind: PLAIN },
    { name: 'memory store on wire', server: memoryOnWire, kind: PLAIN },
    { name: 'Redis store on wire', server: onWire, kind: PLAIN },
  ];
  const report = reportOf({
    commit: run('git', ['rev-parse', '--short', 'HEAD']),
    sizes: SIZES,
    stores: await measure(beside, hotKey),
    kinds: {
      memory: await measure(candidatesOn(memoryOnWire), manyKeys),
      redis: await measure(candidatesOn(onWire), manyKeys),
    },
    inProcess: JSON.parse(
      run('taskset', ['-c', '0', process.execPath, '--import=tsx', path.join(HERE, 'decide.ts')]),
    ) as InProcess,
    keys: await keySizes(redis.client),
  });
  for (const each of running.splice(0)) await each.stop();
  const whole = `${report}\n${WORKERS_HEADING}\n\n${await workersSection()}`;
  writeFileSync(path.join(HERE, 'RESULTS.md'), whole);
  console.log(whole);
} finally {
  for (const each of running) await each.stop();
  await redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

function candidatesOn(server: Server): readonly Candidate[] {
  return KINDS.map((kind) => ({ name: kind.name, server, kind }));
}

async function echo(name: string, file: string): Promise<Server> {
  const port = await freePort();
  return start(name, port, ['--import=tsx', path.join(HERE, file), String(port)], {}, {}, 'ready');
}

async function weir(name: string, env: Record<string, string>, others: Record<string, number> = {}): Promise<Server> {
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
): Promise<Server> {
  const child = await ownProcess({ name, command: 'taskset', args: ['-c', '0', process.execPath, ...args], env });
  running.push(child);
  await eventually(`${name} is ready`, () => child.output().includes(ready));
  return { port, pids: { server: child.pid, ...others } };
}

async function measure(candidates: readonly Candidate[], loadOf: typeof hotKey): Promise<Results> {
  const { calls, warmUpCalls, rounds } = SIZES;
  const results = new Map<string, LoadResult[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, server, kind } of candidates) {
      const result = await loadOf(kind, { ...server, calls: round === 0 ? warmUpCalls : calls, dir });
      if (round === 0) continue;
      results.get(name)?.push(result);
      console.log(`${round}/${rounds} ${name}: ${result.cpuUs.server?.toFixed(1)} us a call`);
    }
  }
  return results;
}

function hotKey(kind: Kind, how: Omit<Load, 'body'>): Promise<LoadResult> {
  return load({ ...how, body: requestBytes(kind, 'u1') });
}

/** By a loader that is cheap enough to leave Redis its share of their core. */
async function manyKeys(kind: Kind, how: Omit<Load, 'body'>): Promise<LoadResult> {
  const bodies = Array.from({ length: KEYS }, (_, i) => requestBytes(kind, `u${KEYS + i}`));
  const result = await lightLoad({ ...how, bodies });
  if (result.allowed !== how.calls) throw new Error(`${kind.name}: ${result.allowed} of ${how.calls} were allowed`);
  return result;
}

function requestBytes({ name, limit }: Kind, user: string): Uint8Array {
  const method = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit;
  if (method === undefined) throw new Error('rls.proto lacks ShouldRateLimit');
  const descriptor = { entries: [{ key: name, value: user }], ...(limit === null ? {} : { limit }) };
  return method.requestSerialize({ domain: DOMAIN, descriptors: [descriptor] });
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', cwd: ROOT }).trim();
}
