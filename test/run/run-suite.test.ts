import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Outcome, runSuite } from './run-suite.ts';
import type { Suite } from './suites.ts';

function suite(script: string, counted: Suite['counted'], deadlineSeconds = 30): Suite {
  return { name: 'trial', commands: [[process.execPath, '-e', script]], counted, deadlineSeconds };
}
const counting = (counts: object, then = '') =>
  suite(`require('fs').writeFileSync(process.env.WEIR_COUNTS, '${JSON.stringify(counts)}'); ${then}`, 'mocha');

let printed = '';

/** What the trial suites print is kept apart from the output of this one. */
function run(trial: Suite): Promise<Outcome> {
  printed = '';
  const keep = {
    write(text: string) {
      printed += text;
    },
  };
  return runSuite(trial, { stdout: keep, stderr: keep });
}

describe('the runner of suites', () => {
  it('takes 3 passed, 1 failed and 1 skipped from what mocha counted', async () => {
    const skipped = [{ title: 'the moon', because: 'no rocket' }];
    const outcome = await run(counting({ passed: 3, failed: 1, skipped }, 'process.exit(1)'));
    expect(outcome).to.include({ passed: 3, failed: 1, trouble: '' });
    expect(outcome.skipped).to.deep.equal(skipped);
  });

  it('counts a crash before the counts as 1 failed', async () => {
    const outcome = await run(suite('process.kill(process.pid, "SIGKILL")', 'mocha'));
    expect(outcome).to.include({ passed: 0, failed: 1 });
  });

  it('counts an exit code of 7 after 3 passed as 1 failed', async () => {
    const outcome = await run(counting({ passed: 3, failed: 0, skipped: [] }, 'process.exit(7)'));
    expect(outcome).to.include({ passed: 3, failed: 1, trouble: 'exited with 7' });
  });

  it('counts 0 tests as 1 failed', async () => {
    const outcome = await run(counting({ passed: 0, failed: 0, skipped: [] }));
    expect(outcome).to.include({ passed: 0, failed: 1, trouble: 'ran no tests' });
  });

  it('ends a suite that hangs, and counts it as 1 failed', async () => {
    const outcome = await run(suite('setInterval(() => {}, 1000)', 'last line', 0.3));
    expect(outcome).to.include({ passed: 0, failed: 1, trouble: 'was not done in 0.3 s' });
  });

  it('ends what a suite left running', async () => {
    const script = `const { pid } = require('child_process').spawn('sleep', ['300'], { stdio: 'ignore' });
      console.log('pid ' + pid); console.log('1 passed, 0 failed'); process.exit(0);`;
    const outcome = await run(suite(script, 'last line'));
    expect(outcome).to.include({ passed: 1, failed: 0 });
    const pid = Number(/pid (\d+)/.exec(printed)?.[1]);
    expect(isRunning(pid)).to.equal(false);
  });

  it('adds excused steps to those that passed', async () => {
    const line =
      "console.log('noise'); console.log('5 passed, 2 failed, 3 excused by differences.json'); process.exit(1)";
    expect(await run(suite(line, 'last line'))).to.include({ passed: 8, failed: 2 });
  });

  it('counts each of 2 commands by its exit code', async () => {
    const commands = [
      [process.execPath, '-e', ''],
      [process.execPath, '-e', 'process.exit(2)'],
    ];
    const outcome = await run({ name: 'trial', commands, counted: 'exit', deadlineSeconds: 30 });
    expect(outcome).to.include({ passed: 1, failed: 1 });
  });
});

/** A process that has ended may be there still as a zombie, until its new parent looks. */
function isRunning(pid: number): boolean {
  const status = `/proc/${pid}/status`;
  if (existsSync('/proc/self/status')) return existsSync(status) && !/^State:\s+Z/m.test(readFileSync(status, 'utf8'));
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
