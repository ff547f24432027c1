import { readdirSync, readFileSync } from 'node:fs';

/** The CPU time that processes have used so far, in microseconds, by name. */
export function cpuTimes(pids: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuTimeUs(pid)]));
}

/** What each has used between two looks, for each of so many calls. */
export function cpuPerCall(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  calls: number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, us]) => [name, (us - (before[name] ?? us)) / calls]));
}

/** Of all its threads, as the scheduler has it in nanoseconds: user and system time of /proc/PID/stat comes in 10 ms. */
function cpuTimeUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((each) => Number(readFileSync(`/proc/${pid}/task/${each}/schedstat`, 'utf8').split(' ')[0]));
  return ns.reduce((sum, each) => sum + each, 0) / 1_000;
}
