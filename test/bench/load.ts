import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { cpuPerCall, cpuTimes } from './cpu-time.ts';

/** h2load drives one server: 8 connections with 32 streams each, 256 calls in flight, when nothing else is said. */
export interface Load {
  readonly port: number;
  /** The pids whose CPU time is read, by name. */
  readonly pids: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly body: Uint8Array;
  readonly dir: string;
  /** Where h2load runs, as taskset has it. Default: core 1. */
  readonly cores?: string;
  readonly connections?: number;
}

export interface LoadResult {
  readonly callsPerSecond: number;
  /** Microseconds of CPU time per call, user and system, by name. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

export const PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

export async function load({ port, pids, calls, body, dir, cores = '1', connections = 8 }: Load): Promise<LoadResult> {
  const file = path.join(dir, 'body');
  writeFileSync(file, framed(body));
  const before = cpuTimes(pids);
  const startedMs = Date.now();
  const report = await run('taskset', [
    ...['-c', cores, 'h2load', '-t', '1', '-c', String(connections), '-m', '32', '-n', String(calls), '-d', file],
    ...['-H', 'content-type: application/grpc', '-H', 'te: trailers', `http://127.0.0.1:${port}${PATH}`],
  ]);
  const seconds = (Date.now() - startedMs) / 1000;
  const after = cpuTimes(pids);
  if (!report.includes(`${calls} succeeded, 0 failed`)) throw new Error(`h2load: ${report.slice(-600)}`);
  return { callsPerSecond: calls / seconds, cpuUs: cpuPerCall(before, after, calls) };
}

/** A gRPC message: no compression, four bytes of length, the bytes. */
export function framed(body: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(5 + body.length);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, 5);
  return frame;
}

function run(command: string, args: readonly string[]): Promise<string> {
  return outputOf(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Everything that it says until it ends. Rejects with that when it ends badly. */
export function outputOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout?.on('data', (chunk) => (out += chunk));
    child.stderr?.on('data', (chunk) => (out += chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${child.spawnfile} ended with ${code}: ${out}`)),
    );
  });
}
