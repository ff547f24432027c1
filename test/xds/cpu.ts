import { readFileSync } from 'node:fs';

/** USER_HZ of Linux, which /proc counts in. */
const TICKS_PER_SECOND = 100;

/** What a process has used so far, in user and system time. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the command, in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
