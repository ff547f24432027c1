import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuTimes } from './cpu-time.ts';
import { framed, type Load, type LoadResult, outputOf } from './load.ts';

const LOADER = fileURLToPath(new URL('light-loader.ts', import.meta.url));

/** What the loader is told, as JSON. */
export interface LightLoad {
  readonly port: number;
  readonly calls: number;
  readonly connections: number;
  /** A file with the gRPC message of each call. */
  readonly file: string;
}

export interface LightLoadResult extends LoadResult {
  /** CPU time of the loader itself, per call. */
  readonly loaderUs: number;
}

/**
 * As `load`, by a client that writes the same bytes again and again and looks at no more of an answer than that it has
 * ended: where all share two cores, h2load takes more of them than weir does. Rejects when a call has no such answer.
 */
export async function lightLoad(options: Load): Promise<LightLoadResult> {
  const { port, pids, calls, body, dir, cores = '1', connections = 8 } = options;
  const file = path.join(dir, 'body');
  writeFileSync(file, framed(body));
  const told: LightLoad = { port, calls, connections, file };
  const child = spawn('taskset', ['-c', cores, process.execPath, '--import=tsx', LOADER, JSON.stringify(told)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = outputOf(child);
  // It tells when it is ready to begin, and begins when it is told to.
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    said.catch(reject);
  });
  const before = cpuTimes(pids);
  child.stdin.end('begin\n');
  const { seconds, cpuUs } = JSON.parse((await said).split('\n')[1] ?? '') as { seconds: number; cpuUs: number };
  const after = cpuTimes(pids);
  return {
    callsPerSecond: calls / seconds,
    cpuUs: Object.fromEntries(
      Object.keys(pids).map((name) => [name, ((after[name] ?? 0) - (before[name] ?? 0)) / calls]),
    ),
    loaderUs: cpuUs / calls,
  };
}
