import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { fetched, orSkip, run } from '../foreign/toolchain.ts';
import { service } from '../support/service.ts';
import { fiveMinutes, withoutSeconds } from './five-minutes.ts';
import { type Checkout, checkout, nodeModules, own, pythonBin } from './package.ts';

const BASIC = fileURLToPath(new URL('../../examples/rules/basic.yaml', import.meta.url));

describe('the clients', function () {
  this.timeout(300_000);
  let copy: Checkout | undefined;
  const fresh = async (client: string): Promise<Checkout> => {
    copy = await checkout(client);
    return copy;
  };
  afterEach(async () => {
    await copy?.remove();
    copy = undefined;
  });

  it('in TypeScript passes its own types and tests', async function () {
    const { dir } = await fresh('typescript');
    await orSkip(this, () => nodeModules(dir));
    await own(dir, 'npm', ['run', '--silent', 'types']);
    await own(dir, 'npm', ['test', '--silent']);
  });

  it('in Python passes its own lint, types and tests (needs python3)', async function () {
    const { dir } = await fresh('python');
    const bin = await orSkip(this, () => pythonBin(dir));
    // What mypy has read of the packages is kept beside them; of ours it reads all, whose folder is new each time.
    const env = { PYTHONPATH: 'src', PYTHONDONTWRITEBYTECODE: '1', MYPY_CACHE_DIR: `${bin}/../mypy` };
    await own(dir, `${bin}/ruff`, ['check', '--no-cache']);
    await own(dir, `${bin}/ruff`, ['format', '--check', '--no-cache']);
    await own(dir, `${bin}/python`, ['-m', 'mypy'], env);
    await own(dir, `${bin}/python`, ['-m', 'pytest', '-q', '-p', 'no:cacheprovider'], env);
  });

  it('in Go passes its own format, vet and tests (needs go)', async function () {
    // The first time, Go's own library is built for the race detector too.
    this.timeout(600_000);
    const { dir } = await fresh('go');
    await orSkip(this, () => fetched('go', ['-C', dir, 'mod', 'download']));
    expect(await own(dir, 'gofmt', ['-l', '.'])).to.equal('');
    await own(dir, 'go', ['vet', './...']);
    const { output } = await run('go', ['env', 'CGO_ENABLED']);
    // The race detector is written in C.
    const race = output.trim() === '1' ? ['-race'] : [];
    await own(dir, 'go', ['test', ...race, '-count=1', './...']);
  });

  it('in Java passes its own lint and tests (needs mvn)', async function () {
    const { dir } = await fresh('java');
    await orSkip(this, () => own(dir, 'mvn', ['--quiet', '--batch-mode', 'test']));
  });

  for (const [client, name] of [
    ['typescript', 'TypeScript'],
    ['python', 'Python'],
    ['go', 'Go'],
    ['java', 'Java'],
  ] as const) {
    it(`in ${name} is installed by the commands of its README, and refused its 11th request`, async function () {
      const { root, dir } = await fresh(client);
      const { script, shown } = fiveMinutes(dir);
      // A day, so that no new window begins between the first request and the last.
      const rules = readFileSync(BASIC, 'utf8').replaceAll('unit: minute', 'unit: day');
      const weir = await service({ rules: { 'basic.yaml': rules }, env: { BACKEND_TYPE: 'memory' } });
      try {
        const at = { WEIR: `127.0.0.1:${weir.grpcPort}` };
        const output = await orSkip(this, () => own(root, 'sh', ['-euc', script], at));
        expect(shown).to.match(/^11 refused/m);
        expect(withoutSeconds(output)).to.include(withoutSeconds(shown));
      } finally {
        await weir.close();
      }
    });
  }
});
