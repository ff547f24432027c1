import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { check } from '../../src/cli/check.ts';
import { type Ended, type Folder, folder, weir } from './weir.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/rules/', import.meta.url));
const GOOD = 'domain: good\ndescriptors:\n  - { key: a, rate_limit: { unit: hour, requests_per_unit: 1 } }\n';
const MORE = 'domain: good\ndescriptors:\n  - { key: b, rate_limit: { unit: hour, requests_per_unit: 1 } }\n';
const BAD = 'domain: bad\ndescriptors:\n  - key: a\n    rate_limit: { unit: hour, reqests_per_unit: 1 }\n';
const WORSE = 'domain: worse\ndescriptors:\n  - { key: a, rate_limit: { unit: hours } }\n';

async function checked(...args: readonly string[]): Promise<Ended> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const out = { write: (text: string) => stdout.push(text) };
  const err = { write: (text: string) => stderr.push(text) };
  return { code: await check(args, { out, err }), stdout: stdout.join(''), stderr: stderr.join('') };
}

describe('weir check', () => {
  let rules: Folder;
  beforeEach(async () => {
    rules = await folder();
  });
  afterEach(() => rules.remove());

  it('exits 0 and counts what it read when all is well', async () => {
    const { code, stdout, stderr } = await checked(await rules.write('good.yaml', GOOD));
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.equal('all rate limit configs ok: 1 rule in 1 domain\n');
  });

  it('exits 0 for an empty directory, which is a good set of no domains', async () => {
    expect(await checked(rules.path)).to.include({ code: 0 });
  });

  it('exits 1 and tells file, line and column, the line itself, a caret and what may have been meant', async () => {
    const { code, stdout, stderr } = await checked(await rules.write('bad.yaml', BAD));
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.include('bad.yaml:4:31');
    expect(stderr).to.include("unknown key 'reqests_per_unit'");
    expect(stderr).to.include('requests_per_unit');
    expect(stderr).to.include('rate_limit: { unit: hour, reqests_per_unit: 1 }');
    expect(stderr).to.match(/^ *\^/m);
    expect(stderr).to.include('1 problem in');
  });

  it('tells the problems of all files at once', async () => {
    await rules.write('bad.yaml', BAD);
    await rules.write('worse.yaml', WORSE);
    const { code, stderr } = await checked(rules.path);
    expect(code).to.equal(1);
    expect(stderr).to.include('bad.yaml:4:31').and.to.include("invalid rate limit unit 'hours'");
    expect(stderr).to.include('2 problems in');
  });

  it('refuses one domain in two files, unless they may be merged', async () => {
    const paths = [await rules.write('good.yaml', GOOD), await rules.write('more.yaml', MORE)];
    const { code, stderr } = await checked(...paths);
    expect(code).to.equal(1);
    expect(stderr).to.include("duplicate domain 'good'");
    expect(await checked(...paths, '--merge-domain-config')).to.include({
      code: 0,
      stdout: 'all rate limit configs ok: 2 rules in 1 domain\n',
    });
    expect(await checked(rules.path, '--merge-domain-configs')).to.include({ code: 0 });
  });

  it('reads a path once that is given twice', async () => {
    const path = await rules.write('good.yaml', GOOD);
    expect(await checked(path, path)).to.include({ code: 0 });
  });

  it('exits 1 for a path that is not there, and names it', async () => {
    const { code, stderr } = await checked(join(rules.path, 'missing.yaml'));
    expect(code).to.equal(1);
    expect(stderr).to.include('missing.yaml');
  });

  it('exits 2 without a path, and for a flag there is not', async () => {
    expect(await checked()).to.deep.equal({ code: 2, stdout: '', stderr: 'weir check: a path is missing\n' });
    expect(await checked(rules.path, '--strict')).to.deep.equal({
      code: 2,
      stdout: '',
      stderr: 'weir check: there is no flag --strict\n',
    });
  });

  it('as a command: 0 for the examples, 1 for bad rules, 2 without a path', async function () {
    this.timeout(30_000);
    expect(weir(['check', EXAMPLES])).to.deep.include({ code: 0, stderr: '' });
    const { code, stderr } = weir(['check', await rules.write('bad.yaml', BAD)]);
    expect(code).to.equal(1);
    expect(stderr).to.include('bad.yaml:4:31');
    expect(weir(['check']).code).to.equal(2);
  });
});
