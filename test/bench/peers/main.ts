/** `make bench-peers`: weir and the Go service, side by side, in one run. Writes PEERS.md and peers.json. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { GO_SERVICE } from '../../foreign/go-tools.ts';
import { H2LOAD, installed, REDIS } from '../../run/install.ts';
import { type OwnRedis, ownRedis } from '../../support/redis.ts';
import { load } from '../load.ts';
import { type Loader, loader } from './loader.ts';
import type { Loop, Outcome } from './order.ts';
import { type Comparison, type Made, reportOf } from './report.ts';
import { type Compared, figuresOf, median, type Round, SHARES } from './results.ts';
import { messagesOf, SCENARIOS, type Scenario } from './scenario.ts';
import { NAMES, type Name, type Service, services } from './services.ts';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
const WARM_UP_MS = 250;
const H2LOAD_CALLS = { go: 20_000, weir: 100_000 } as const;

const rounds = positive('ROUNDS', 5);
const seconds = positive('MEASURE_SECONDS', 1.5);
const only = process.env.ONLY?.split(',');
const scenarios = SCENARIOS.filter(({ name }) => only === undefined || only.includes(name));
if (scenarios.length === 0) quit(`ONLY= one or more of ${SCENARIOS.map(({ name }) => name).join()}`);
if (cpus().length < 2) quit('two cores are needed: one for the service, one for Redis and the loader');
for (const advice of [installed(REDIS), installed(H2LOAD)]) if (advice !== '') quit(advice);

const dir = mkdtempSync(path.join(tmpdir(), 'weir-peers-'));
let redis: OwnRedis | null = null;
let calls: Loader | null = null;
let both: Readonly<Record<Name, Service>> | null = null;

/** Ctrl-C reaches the children too, so they may be gone already. */
let cleaned: Promise<void> | null = null;
function cleanUp(): Promise<void> {
  cleaned ??= (async () => {
    calls?.stop();
    for (const name of NAMES) await both?.[name].process.stop();
    await redis?.stop();
    rmSync(dir, { recursive: true, force: true });
  })();
  return cleaned;
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}

try {
  await compare();
} catch (error) {
  if (cleaned === null) throw error;
} finally {
  await cleanUp();
}

async function compare(): Promise<void> {
  redis = await ownRedis();
  for (const pid of [redis.pid, process.pid]) execFileSync('taskset', ['-acp', '1', String(pid)]);
  both = await services(dir, redis);
  calls = await loader();
  for (const scenario of scenarios) await fill(scenario);
  const found = new Map<string, Record<Name, Round[]>>(scenarios.map(({ name }) => [name, { go: [], weir: [] }]));
  for (let round = 1; round <= rounds; round++) {
    for (const [i, scenario] of scenarios.entries()) {
      const order = (round + i) % 2 === 0 ? NAMES : [...NAMES].reverse();
      const measured = await measure(scenario, order, round);
      for (const name of NAMES) found.get(scenario.name)?.[name].push(measured[name]);
      console.log(`${round}/${rounds} ${scenario.name}: ${line(measured.go)}; ${line(measured.weir)}`);
    }
  }
  const compared: readonly Compared[] = scenarios.map((scenario) => {
    const { go, weir } = found.get(scenario.name)!;
    return { ...scenario, go: figuresOf(go), weir: figuresOf(weir) };
  });
  const comparison: Comparison = { ...(await made()), scenarios: compared };
  const report = reportOf(comparison);
  console.log(`\n${report}`);
  if (scenarios.length < SCENARIOS.length) return console.log('Not all was measured, so nothing is written.');
  writeFileSync(path.join(BENCH, 'PEERS.md'), report);
  writeFileSync(path.join(BENCH, 'peers.json'), `${JSON.stringify(comparison, null, 2)}\n`);
}

/** Every counter is there before it is measured. weir's keys are the Go service's, so one fills for both. */
async function fill(scenario: Scenario): Promise<void> {
  await obey('weir', scenario, { kind: 'each' }, 0);
}

/** First the peaks, since the Go service's says what the rates are; each figure of one directly after the other's. */
async function measure(scenario: Scenario, order: readonly Name[], round: number): Promise<Record<Name, Round>> {
  const peaks: Partial<Record<Name, Outcome>> = {};
  for (const name of order) peaks[name] = await obey(name, scenario, { kind: 'closed' }, round);
  const go = peaks.go!;
  const atRates: Record<Name, { perSecond: number; outcome: Outcome }[]> = { go: [], weir: [] };
  for (const [i, share] of SHARES.entries()) {
    const perSecond = (share * go.answered) / go.seconds;
    const inTurn = i % 2 === 0 ? order : [...order].reverse();
    for (const name of inTurn) {
      const outcome = await obey(name, scenario, { kind: 'open', perSecond }, round * SHARES.length + i);
      atRates[name].push({ perSecond, outcome });
    }
  }
  return { go: { peak: go, atRates: atRates.go }, weir: { peak: peaks.weir!, atRates: atRates.weir } };
}

function obey(name: Name, scenario: Scenario, loop: Loop, seed: number): Promise<Outcome> {
  const { port, process } = both![name];
  return calls!.obey({
    port,
    scenario: scenario.name,
    loop,
    warmUpMs: WARM_UP_MS,
    countedMs: seconds * 1_000,
    seed,
    pids: { server: process.pid, redis: redis!.pid },
  });
}

async function made(): Promise<Made> {
  const info = await redis!.client.info('server');
  const h2load = { go: await byH2load('go'), weir: await byH2load('weir') };
  return {
    commit: run('git', ['rev-parse', '--short', 'HEAD']),
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    goService: GO_SERVICE.version,
    redis: /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown',
    rounds,
    seconds,
    h2load,
  };
}

/** Another loader than ours, to hold ours against. */
async function byH2load(name: Name): Promise<{ perSecond: number; cpuUs: number }> {
  const messages = messagesOf(SCENARIOS[0]!);
  const frame = new Uint8Array(messages.bytes);
  messages.write(frame, 0, 0);
  const { port, process } = both![name];
  const results = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    // `load` writes the prefix itself.
    const body = frame.subarray(5);
    results.push(await load({ port, pids: { server: process.pid }, calls: H2LOAD_CALLS[name], body, dir }));
  }
  return {
    perSecond: Math.round(median(results.map(({ callsPerSecond }) => callsPerSecond))),
    cpuUs: Math.round(median(results.map(({ cpuUs }) => cpuUs.server!)) * 10) / 10,
  };
}

function line({ peak, atRates }: Round): string {
  const p = atRates.map(({ outcome: { latency } }) => `${latency.p50Us}/${latency.p99Us}/${latency.p999Us}`);
  const { server, redis, loader } = peak.busy;
  const busy = [server, redis, loader].map((share) => share?.toFixed(2)).join('+');
  return `${Math.round(peak.answered / peak.seconds)}/s ${peak.cpuUs.server?.toFixed(1)} us busy ${busy}, ${p.join(' ')}`;
}

function positive(name: string, otherwise: number): number {
  const value = Number(process.env[name] || otherwise);
  return value > 0 ? value : quit(`${name} must be a number above 0`);
}

function quit(why: string): never {
  console.error(why);
  process.exit(2);
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', cwd: BENCH }).trim();
}
