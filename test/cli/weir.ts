import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WEIR } from '../support/built.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND_TAKES_MS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself. Nothing of the environment but PATH and HOME reaches it. */
export function weir(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
  const { PATH = '', HOME = '' } = process.env;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [WEIR, ...args], {
    cwd: ROOT,
    env: { PATH, HOME, ...env },
    encoding: 'utf8',
    timeout: COMMAND_TAKES_MS,
  });
  if (error) throw error;
  return { code: status, stdout, stderr };
}

export interface Serving {
  readonly process: OwnProcess;
  /** `host:port` of each door. */
  readonly grpc: string;
  readonly http: string;
  readonly admin: string;
  /** The lines of the log so far. */
  log(): readonly LogLine[];
}

export interface LogLine {
  readonly level: string | number;
  readonly msg: string;
  readonly [name: string]: unknown;
}

/** Every door on a port of 127.0.0.1 that the system chooses. */
export const FREE_PORTS: Readonly<Record<string, string>> = {
  HOST: '127.0.0.1',
  PORT: '0',
  GRPC_HOST: '127.0.0.1',
  GRPC_PORT: '0',
  DEBUG_HOST: '127.0.0.1',
  DEBUG_PORT: '0',
};

/** Where the command is, and how it is started. */
export interface Installed {
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd: string;
}

const AS_BUILT: Installed = { command: process.execPath, args: [WEIR], cwd: ROOT };

/** Starts `weir serve` and resolves when it says where it serves. The caller stops its process. */
export async function serving(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { command, args: first = [], cwd }: Installed = AS_BUILT,
): Promise<Serving> {
  const child = await ownProcess({
    name: 'weir serve',
    command,
    args: [...first, 'serve', ...args],
    env: { ...FREE_PORTS, ...env },
    cwd,
  });
  const log = (): readonly LogLine[] => linesOf(child.output());
  try {
    const doors = await eventually('weir to say where it serves', () => {
      const said = log().find(({ msg }) => msg.startsWith('serving: '));
      if (said === undefined && !child.running()) throw new Error('it ended');
      return (
        said &&
        Object.fromEntries(
          said.msg
            .slice(9)
            .split(', ')
            .map((door) => door.split(' ')),
        )
      );
    });
    return { process: child, grpc: doors.grpc, http: doors.http, admin: doors.admin, log };
  } catch (error) {
    await child.stop();
    throw new Error(`${(error as Error).message}\n${child.output()}`);
  }
}

function linesOf(output: string): readonly LogLine[] {
  const whole = output.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return whole.map((line) => JSON.parse(line));
}

export interface Folder {
  readonly path: string;
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

/** A directory of the test's own. `write` answers the path. */
export async function folder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'weir-cli-'));
  return {
    path,
    async write(name, text) {
      await writeFile(join(path, name), text);
      return join(path, name);
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
