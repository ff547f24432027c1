import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { needEnvoy } from '../support/envoy.ts';
import { ownProcess } from '../support/process.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SEEING_SHARE = 0.85;

interface Run {
  readonly stats: { readonly tests: number; readonly passes: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}

describe('a limiter that says OK to everything', () => {
  before(function () {
    // Within the run that it starts, and whenever another service is looked at, the question does not arise.
    if (process.env.SERVICE_UNDER_TEST) this.skip();
    needEnvoy(this);
  });

  it('fails at least 85 % of these cases, each by an assertion of its own', async function () {
    this.timeout(180_000);
    const dir = await mkdtemp(join(tmpdir(), 'weir-always-ok-'));
    const report = join(dir, 'report.json');
    const files = (await readdir(HERE)).filter((f) => f.endsWith('.test.ts') && !f.startsWith('always-ok'));
    const mocha = await ownProcess({
      name: 'mocha',
      command: process.execPath,
      args: [
        ...[join(ROOT, 'node_modules/mocha/bin/mocha.js'), '--import=tsx', '--timeout', '60000'],
        ...['--reporter', 'json', '--reporter-option', `output=${report}`, ...files.map((f) => join(HERE, f))],
      ],
      cwd: ROOT,
      env: { SERVICE_UNDER_TEST: `${process.execPath} test/e2e/always-ok.mjs`, PATIENCE_MS: '1000' },
    });
    try {
      await mocha.ended;
      const run = JSON.parse(await readFile(report, 'utf8')) as Run;
      // A hook that fails would take the cases behind it along, which proves nothing about them.
      expect(run.failures.filter((f) => f.fullTitle.includes('" hook '))).to.deep.equal([], mocha.output());
      expect(run.stats.tests).to.be.greaterThan(50);
      expect(run.failures.length / run.stats.tests).to.be.at.least(SEEING_SHARE);
    } finally {
      await mocha.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
