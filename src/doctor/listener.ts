import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

/** A process that listens on a port. */
export interface Listener {
  readonly pid: number;
  /** Its name as the kernel has it. */
  readonly command: string;
  /** It runs the same program as this process, and its command is one that serves. */
  readonly isOwn: boolean;
}

const LISTENING = '0A';
const SERVING = ['serve', 'ratelimit'];

/** Who listens on a TCP port, as far as Linux's /proc tells this user; null when it does not. */
export async function listenerOn(port: number): Promise<Listener | null> {
  try {
    const inodes = new Set([...(await inodesOf('/proc/net/tcp', port)), ...(await inodesOf('/proc/net/tcp6', port))]);
    if (inodes.size === 0) return null;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (await holds(pid, inodes)) return await described(Number(pid));
    }
  } catch {
    // There is no /proc, or it does not want to be read.
  }
  return null;
}

async function inodesOf(table: string, port: number): Promise<readonly string[]> {
  const text = await readFile(table, 'utf8').catch(() => '');
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(suffix) && state === LISTENING)
    .map((fields) => fields[9]!);
}

/** Processes of other users keep their files to themselves. */
async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const file of files) {
    const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

async function described(pid: number): Promise<Listener> {
  const command = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const at = args.findIndex((each) => SERVING.includes(each));
  const script = args[at - 1];
  return { pid, command, isOwn: at > 0 && script !== undefined && (await isThisProgram(pid, script)) };
}

async function isThisProgram(pid: number, script: string): Promise<boolean> {
  try {
    const theirs = await realpath(resolve(await readlink(`/proc/${pid}/cwd`), script));
    return theirs === (await realpath(process.argv[1] ?? ''));
  } catch {
    return false;
  }
}
