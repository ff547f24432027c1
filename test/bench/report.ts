import { cpus } from 'node:os';
import type { LoadResult } from './load.ts';
import type { KindSize } from './sizes.ts';

/** How long a measurement takes. */
export interface Sizes {
  readonly calls: number;
  readonly warmUpCalls: number;
  /** Alternating, so that what the machine does meanwhile meets all candidates; the median is told. */
  readonly rounds: number;
}

/** By candidate, of each round. */
export type Results = ReadonlyMap<string, readonly LoadResult[]>;

/** What decide.ts prints. */
export interface InProcess {
  readonly decisionsPerSecond: number;
  readonly matchesPerSecond: Readonly<Record<string, number>>;
  readonly usOfKinds: Readonly<Record<string, number>>;
}

export interface Measured {
  readonly commit: string;
  /** Of every round over gRPC. */
  readonly sizes: Sizes;
  readonly stores: Results;
  /** On wire. */
  readonly kinds: { readonly memory: Results; readonly redis: Results };
  readonly inProcess: InProcess;
  readonly keys: readonly KindSize[];
}

/** RESULTS.md. */
export function reportOf({ commit, sizes, stores, kinds, inProcess, keys }: Measured): string {
  const { 10: ten = 0, 100000: many = 0 } = inProcess.matchesPerSecond;
  return `# What a decision costs

Made by \`make bench\`. Commit ${commit}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}.

## Over gRPC

One descriptor, one entry, one hot key. The server is on core 0; h2load (8 connections, 32 streams each) and Redis are on
core 1. ${rounds(sizes)}. CPU is the
time of all threads from /proc. The echo is a grpc-js server that answers constant bytes and does nothing else.

| server | CPU us per call | of the echo | Redis CPU us per call | calls per second on one core |
|---|---|---|---|---|
${storeRows(stores).join('\n')}

## By kind of limit

On wire, with 1,000 keys in turn and the loader of light-load.ts (8 connections, 32 streams each), a kind after the other on the
same two processes. ${rounds(sizes)}. In brackets: of what a plain fixed window costs there.

| limit | memory: CPU us | Redis: weir's CPU us | Redis' own CPU us | both |
|---|---|---|---|---|
${kindRows(kinds.memory, kinds.redis).join('\n')}

## In process

| what | per second on one core |
|---|---|
| \`decide()\`, memory store, metrics on, 1,000 keys | ${inProcess.decisionsPerSecond} |
| \`match()\` among 10 exact siblings | ${ten} |
| \`match()\` among 100,000 exact siblings | ${many} (${(ten / many).toFixed(2)} times the cost) |

\`decide()\` by kind of limit, all in one process, in turn; memory store, 1,000 keys each, without a transport:

| limit | CPU us per decision |
|---|---|
${inProcessRows(inProcess.usOfKinds).join('\n')}

## What is kept

For the descriptor \`user\` with a value of eight characters. Redis: MEMORY USAGE, and the time to live after a hit, without
jitter; a bucket's is that of an empty one, which is its longest. Memory: of the descriptor, at 50,000 of them.

| limit | keys | Redis: key, bytes, seconds to live | memory store: bytes |
|---|---|---|---|
${keys.map(sizeRow).join('\n')}
`;
}

function rounds({ calls, warmUpCalls, rounds }: Sizes): string {
  return `${calls} calls a round after ${warmUpCalls} of warm-up, ${rounds} alternating rounds, medians`;
}

function storeRows(results: Results): readonly string[] {
  const echoUs = cpuUs(results, 'grpc-js echo', 'server');
  return [...results].map(([name, all]) => {
    const us = cpuUs(results, name, 'server');
    const redisUs = cpuUs(results, name, 'redis');
    const perSecond = Math.round(median(all.map(({ callsPerSecond }) => callsPerSecond)));
    const redis = Number.isNaN(redisUs) ? '' : redisUs.toFixed(2);
    return `| ${name} | ${us.toFixed(1)} | ${(us / echoUs).toFixed(2)} | ${redis} | ${perSecond} |`;
  });
}

function kindRows(memory: Results, redis: Results): readonly string[] {
  const columns = [...memory.keys()].map((name) => {
    const weir = cpuUs(redis, name, 'server');
    const own = cpuUs(redis, name, 'redis');
    return { name, costs: [cpuUs(memory, name, 'server'), weir, own, weir + own] };
  });
  return columns.map(({ name, costs }) => {
    const cells = costs.map((us, i) => beside(us, columns[0]?.costs[i] ?? Number.NaN));
    return `| ${name} | ${cells.join(' | ')} |`;
  });
}

function inProcessRows(usOfKinds: Readonly<Record<string, number>>): readonly string[] {
  const [plain = Number.NaN] = Object.values(usOfKinds);
  return Object.entries(usOfKinds).map(([name, us]) => `| ${name} | ${beside(us, plain)} |`);
}

function beside(us: number, plain: number): string {
  return `${us.toFixed(us < 10 ? 2 : 1)} (${(us / plain).toFixed(2)})`;
}

function sizeRow({ name, keys, memoryBytes }: KindSize): string {
  const told = keys.map(
    ({ key, bytes, ttlSeconds }) => `\`${key.replaceAll('|', '\\|')}\` ${bytes} B, ${ttlSeconds} s`,
  );
  return `| ${name} | ${keys.length} | ${told.join('<br>')} | ${memoryBytes} |`;
}

function cpuUs(results: Results, name: string, of: string): number {
  return median((results.get(name) ?? []).map((each) => each.cpuUs[of] ?? Number.NaN));
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
