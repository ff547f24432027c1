import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Suite } from './suites.ts';

const KEPT_CHARS = 64 * 1024;

export interface Skipped {
  readonly title: string;
  readonly because: string;
}

export interface Outcome {
  readonly suite: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly Skipped[];
  readonly seconds: number;
  /** What went wrong beside the tests themselves, or ''. */
  readonly trouble: string;
}

type Counts = Omit<Outcome, 'suite' | 'seconds'>;

let running: ChildProcess | null = null;

/** The children have process groups of their own, so what they started ends with them. */
export function endRunning(): void {
  if (running?.pid === undefined) return;
  try {
    process.kill(-running.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

export interface Echo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Runs the commands of a suite and shows what they print. Never rejects: what breaks is counted as failed. */
export async function runSuite(suite: Suite, echo: Echo = process): Promise<Outcome> {
  const began = Date.now();
  const end = began + suite.deadlineSeconds * 1_000;
  const dir = mkdtempSync(join(tmpdir(), 'weir-run-'));
  const all: Counts[] = [];
  for (const command of suite.commands) {
    const countsFile = join(dir, `counts-${all.length}.json`);
    const ended = await run(command, { ...suite.env, WEIR_COUNTS: countsFile }, end - Date.now(), echo);
    all.push(withTrouble(count(suite, command, ended, countsFile), ended, suite));
  }
  rmSync(dir, { recursive: true, force: true });
  return {
    suite: suite.name,
    passed: sum(all, 'passed'),
    failed: sum(all, 'failed'),
    skipped: all.flatMap((it) => it.skipped),
    seconds: (Date.now() - began) / 1_000,
    trouble: all
      .map((it) => it.trouble)
      .filter((it) => it !== '')
      .join('; '),
  };
}

const sum = (all: readonly Counts[], what: 'passed' | 'failed'): number => all.reduce((n, it) => n + it[what], 0);

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly late: boolean;
}

function run(command: readonly string[], env: Record<string, string>, leftMs: number, echo: Echo): Promise<Ended> {
  const [program, ...args] = command as [string, ...string[]];
  return new Promise((done) => {
    const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    const child = spawn(program, args, {
      env: { ...process.env, ...color, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running = child;
    let output = '';
    let late = false;
    const overdue = setTimeout(
      () => {
        late = true;
        endRunning();
      },
      Math.max(leftMs, 0),
    );
    for (const [from, to] of [
      [child.stdout, echo.stdout],
      [child.stderr, echo.stderr],
    ] as const) {
      from.setEncoding('utf8').on('data', (chunk: string) => {
        to.write(chunk);
        output = (output + chunk).slice(-KEPT_CHARS);
      });
    }
    const finish = (code: number | null) => {
      clearTimeout(overdue);
      // Whatever a suite forgot to stop must not outlive it.
      endRunning();
      running = null;
      done({ code, output, late });
    };
    child.once('error', (error) => {
      output += error.message;
      finish(null);
    });
    child.once('exit', (code) => {
      // A grandchild may hold the pipes open; the output that is there has been read a moment later.
      const pipes = setTimeout(() => finish(code), 1_000);
      child.once('close', () => {
        clearTimeout(pipes);
        finish(code);
      });
    });
  });
}

function count(suite: Suite, command: readonly string[], { code, output }: Ended, countsFile: string): Counts {
  if (suite.counted === 'exit') {
    const failed = code === 0 ? 0 : 1;
    return { passed: 1 - failed, failed, skipped: [], trouble: failed ? `failed: ${command.slice(1).join(' ')}` : '' };
  }
  const counts = suite.counted === 'mocha' ? countsOfMocha(countsFile) : countsOfLastLine(output);
  return counts ?? { passed: 0, failed: 1, skipped: [], trouble: `ended with ${code} before it counted` };
}

/** A suite that was ended, exited with an error of its own, or found nothing to test has failed. */
function withTrouble(counts: Counts, { code, late }: Ended, { deadlineSeconds }: Suite): Counts {
  const { passed, failed, skipped } = counts;
  const fail = (trouble: string): Counts => ({ ...counts, failed: Math.max(failed, 1), trouble });
  if (late) return fail(`was not done in ${deadlineSeconds} s`);
  if (passed + failed + skipped.length === 0) return fail('ran no tests');
  if (code !== 0 && failed === 0) return fail(`exited with ${code}`);
  return counts;
}

function countsOfMocha(file: string): Counts | null {
  try {
    return { ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Counts, 'trouble'>), trouble: '' };
  } catch {
    return null;
  }
}

function countsOfLastLine(output: string): Counts | null {
  const [, passed, failed, excused] =
    /^(\d+) passed, (\d+) failed(?:, (\d+) excused.*)?$/.exec(output.trimEnd().split('\n').at(-1) ?? '') ?? [];
  if (passed === undefined) return null;
  return { passed: Number(passed) + Number(excused ?? 0), failed: Number(failed), skipped: [], trouble: '' };
}
