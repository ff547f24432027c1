import { spawn } from 'node:child_process';
import { eventually } from '../support/eventually.ts';
import type { Ending } from '../support/process.ts';

/** A command as a shell runs it in the foreground of a terminal: in a process group of its own. */
export interface Foreground {
  readonly ended: Promise<Ending>;
  /** stdout and stderr so far. */
  output(): string;
  /** Ctrl-C: the whole group is interrupted at once. */
  interrupt(): void;
  /** The process alone gets the signal, and must end its children itself. */
  signal(name: NodeJS.Signals): void;
  /** Rejects while somebody of the group lives on. */
  gone(): Promise<unknown>;
  /** kill -9 for whoever is left. */
  close(): Promise<void>;
}

const ENDING = ['SIGTERM', 'SIGHUP'] as const;

export function foreground(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Foreground {
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const group = -child.pid!;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<Ending>((done) => child.once('close', (code, signal) => done({ code, signal })));
  const killAll = () => {
    if (isThere()) process.kill(group, 'SIGKILL');
  };
  // A runner that is ended in the middle takes the group along, which signals to the runner's own do not reach.
  process.once('exit', killAll);
  const alongWith = (signal: NodeJS.Signals) => {
    killAll();
    process.kill(process.pid, signal);
  };
  for (const signal of ENDING) process.once(signal, alongWith);

  function isThere(): boolean {
    try {
      return process.kill(group, 0);
    } catch {
      return false;
    }
  }

  return {
    ended,
    output: () => output,
    interrupt: () => void process.kill(group, 'SIGINT'),
    signal: (name) => void child.kill(name),
    gone: () => eventually('nobody of the group to be left', () => !isThere()),
    async close() {
      killAll();
      process.off('exit', killAll);
      for (const signal of ENDING) process.off(signal, alongWith);
      await ended;
    },
  };
}
