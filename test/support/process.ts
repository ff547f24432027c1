import { type ChildProcess, spawn } from 'node:child_process';

const KEPT_OUTPUT_CHARS = 64 * 1024;
const STOP_GRACE_MS = 5_000;

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child of the tests: ended by its own pid, its output kept for the day something fails. */
export interface OwnProcess {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<Ending>;
  running(): boolean;
  /** The last 64 Ki characters of stdout and stderr, in the order they came. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when that did not help within `graceMs`. A second call waits for the first. */
  stop(graceMs?: number): Promise<Ending>;
  /** kill -9. */
  kill(): Promise<Ending>;
}

export interface OwnProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** The whole environment of the child but PATH, HOME and the cache directories, which it inherits. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const INHERITED = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'TMPDIR', 'LANG', 'NODE_V8_COVERAGE'];

const alive = new Set<ChildProcess>();

// A test runner that dies in the middle takes its children along, the stopped ones too.
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts a child and resolves once the operating system has it; rejects when there is no such program. */
export async function ownProcess(options: OwnProcessOptions): Promise<OwnProcess> {
  const { name, command, args = [] } = options;
  const child = spawn(command, [...args], {
    env: { ...inherited(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  alive.add(child);
  const ended = new Promise<Ending>((done) => {
    child.once('exit', (code, signal) => {
      alive.delete(child);
      done({ code, signal });
    });
  });
  let output = '';
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-KEPT_OUTPUT_CHARS);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  await new Promise<void>((done, fail) => {
    child.once('spawn', done);
    child.once('error', (error) => {
      alive.delete(child);
      fail(new Error(`${name} did not start: ${error.message}`));
    });
  });

  const running = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid: child.pid!,
    ended,
    running,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    async stop(graceMs = STOP_GRACE_MS) {
      if (running()) {
        child.kill('SIGTERM');
        // One that was stopped by SIGSTOP gets the signal only when it goes on.
        child.kill('SIGCONT');
        const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
        await ended;
        clearTimeout(force);
      }
      return ended;
    },
    async kill() {
      child.kill('SIGKILL');
      return ended;
    },
  };
}

function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
