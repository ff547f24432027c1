import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuPerCall, cpuTimes } from './cpu-time.ts';
import { framed, type Load, type LoadResult, outputOf } from './load.ts';

const LOADER = fileURLToPath(new URL('light-loader.ts', import.meta.url));
const TIMEOUT_MS = 300_000;

export interface LightLoad extends Omit<Load, 'body'> {
  /** Sent in turn; all of one length. */
  readonly bodies: readonly Uint8Array[];
}

/** What the loader is told, as JSON. */
export interface LightLoadOrder {
  readonly port: number;
  readonly calls: number;
  readonly connections: number;
  /** A file with so many gRPC messages, all of one length. */
  readonly file: string;
  readonly messages: number;
}

/** What the loader tells, as JSON. */
export interface LightLoadOutcome {
  /** Calls whose answer was OK. */
  readonly allowed: number;
  readonly seconds: number;
}

/** overall_code. */
export const OK = 1;

/**
 * As `load`, by a client that copies bytes and looks at no more of an answer than its code: where all share two cores,
 * h2load takes more of them than weir does.
 */
export async function lightLoad(options: LightLoad): Promise<LoadResult & Pick<LightLoadOutcome, 'allowed'>> {
  const { port, pids, calls, bodies, dir, cores = '1', connections = 8 } = options;
  const file = path.join(dir, 'bodies');
  writeFileSync(file, Buffer.concat(bodies.map(framed)));
  const order: LightLoadOrder = { port, calls, connections, file, messages: bodies.length };
  const child = spawn('taskset', ['-c', cores, process.execPath, '--import=tsx', LOADER, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
  });
  const said = outputOf(child);
  // It tells when it is ready to begin, and begins when it is told to.
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    said.catch(reject);
  });
  const before = cpuTimes(pids);
  child.stdin.end();
  const { allowed, seconds } = JSON.parse((await said).split('\n')[1] ?? '') as LightLoadOutcome;
  return { allowed, callsPerSecond: calls / seconds, cpuUs: cpuPerCall(before, cpuTimes(pids), calls) };
}
