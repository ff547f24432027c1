import { readFile } from 'node:fs/promises';
import { type Finding, fail, ok, warn } from './finding.ts';

/** What there is to know of the machine. */
export interface Host {
  /** As in `process.versions.node`. */
  readonly nodeVersion: string;
  /** How many files and sockets the process may have open; null: no limit, or not told. */
  readonly openFiles: number | null;
  readonly nowMs: number;
  readonly timeZone: string;
}

const LEAST_NODE = [20, 19] as const;
/** Each caller's connection is an open file, and so is each one to Redis. */
const LEAST_OPEN_FILES = 4_096;
/** No clock that is right shows an earlier time. */
const LEAST_MS = Date.UTC(2025, 0);

export function host({ nodeVersion, openFiles, nowMs, timeZone }: Host): readonly Finding[] {
  return [node(nodeVersion), ...files(openFiles), clock(nowMs, timeZone)];
}

export async function thisHost(): Promise<Host> {
  return {
    nodeVersion: process.versions.node,
    openFiles: await openFilesLimit(),
    nowMs: Date.now(),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

function node(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (fits) return ok('host.node', `Node.js ${version}`);
  return fail('host.node', `Node.js ${version} is too old`, `install ${LEAST_NODE.join('.')} or newer`);
}

function files(limit: number | null): readonly Finding[] {
  if (limit === null) return [];
  if (limit >= LEAST_OPEN_FILES) return [ok('host.files', `up to ${limit} connections and files may be open`)];
  const says = `only ${limit} connections and files may be open; each caller's connection is one`;
  return [warn('host.files', says, `raise it: ulimit -n ${LEAST_OPEN_FILES}, or LimitNOFILE= of systemd`)];
}

function clock(nowMs: number, timeZone: string): Finding {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  if (nowMs < LEAST_MS) {
    return fail('host.clock', `the clock says ${now}, which can't be`, 'set it, and keep it right with NTP');
  }
  return ok('host.clock', `the clock says ${now}; windows are cut in UTC, whatever the time zone (${timeZone})`);
}

async function openFilesLimit(): Promise<number | null> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}
