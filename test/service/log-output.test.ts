import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Folder, FREE_PORTS, folder } from '../cli/weir.ts';
import { WEIR } from '../support/built.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { skip } from '../support/skip.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FULL = '/dev/full';
const RULES = 'domain: shop\ndescriptors:\n  - { key: user, rate_limit: { unit: year, requests_per_unit: 2 } }\n';
const BODY = JSON.stringify({ domain: 'shop', descriptors: [{ entries: [{ key: 'user', value: 'ann' }] }] });

describe('weir whose standard output takes nothing', function () {
  this.timeout(30_000);
  let rules: Folder;
  let child: ChildProcess | null = null;
  let port: number;
  beforeEach(async () => {
    rules = await folder();
    port = await freePort();
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    child = null;
    await rules.remove();
  });

  async function started(stdout: number | 'pipe', format: string): Promise<ChildProcess> {
    const { PATH = '', HOME = '' } = process.env;
    const path = await rules.write('shop.yaml', RULES);
    child = spawn(process.execPath, [WEIR, 'serve', '--rules', path], {
      cwd: ROOT,
      env: { PATH, HOME, ...FREE_PORTS, PORT: String(port), LOG_FORMAT: format, LOG_LEVEL: 'debug' },
      stdio: ['ignore', stdout, 'ignore'],
    });
    return child;
  }

  const ask = async (): Promise<number> => {
    const body = BODY;
    const answer = await fetch(`http://127.0.0.1:${port}/json`, { method: 'POST', body });
    await answer.body?.cancel();
    return answer.status;
  };

  async function serves(of: ChildProcess): Promise<void> {
    await eventually('a decision', async () => {
      if (of.exitCode !== null) return 'ended';
      return (await ask()) === 200;
    });
    expect([of.exitCode, await ask(), await ask()]).to.deep.equal([null, 200, 429]);
  }

  async function endsWith0(of: ChildProcess): Promise<void> {
    of.kill('SIGTERM');
    await eventually('the end', () => of.exitCode !== null || of.signalCode !== null);
    expect([of.exitCode, of.signalCode]).to.deep.equal([0, null]);
  }

  for (const format of ['json', 'text']) {
    it(`because the disk is full answers its calls and exits 0 on SIGTERM, with lines in ${format}`, async function () {
      if (!existsSync(FULL)) skip(this, `there is no ${FULL}`);
      const full = await open(FULL, 'w');
      try {
        const weir = await started(full.fd, format);
        await serves(weir);
        await rules.write('shop.yaml', 'domain: [');
        await endsWith0(weir);
      } finally {
        await full.close();
      }
    });

    it(`because its reader is gone answers its calls and exits 0 on SIGTERM, with lines in ${format}`, async () => {
      const weir = await started('pipe', format);
      let said = '';
      weir.stdout!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await eventually('the start', () => said.includes('try it'));
      weir.stdout!.destroy();
      // Refused rules are told, and what is told into a pipe without a reader fails.
      await rules.write('shop.yaml', 'domain: [');
      await serves(weir);
      await endsWith0(weir);
    });
  }
});
