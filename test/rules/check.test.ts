import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { check } from '../../src/cli/check.ts';

describe('weir check', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'weir-check-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function checked(args: readonly string[], mergeDomains = false) {
    const out: string[] = [];
    const err: string[] = [];
    const to = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
    const code = await check(args, { mergeDomains, out: to(out), err: to(err) });
    return { code, out: out.join(''), err: err.join('') };
  }

  it('answers 0 and counts 2 rules in 1 domain', async () => {
    writeFileSync(join(dir, 'a.yaml'), 'domain: d\ndescriptors: [{key: a}, {key: b}]\n');
    expect(await checked([dir])).to.deep.equal({
      code: 0,
      out: 'all rate limit configs ok: 2 rules in 1 domain\n',
      err: '',
    });
  });

  it('answers 1 and tells the problems of every file with its whole path', async () => {
    writeFileSync(join(dir, 'a.yaml'), 'domain: d\nversion: 2\n');
    writeFileSync(join(dir, 'b.yaml'), 'domain: ""\n');
    const { code, out, err } = await checked([dir]);
    expect([code, out]).to.deep.equal([1, '']);
    expect(err).to.equal(
      `${dir}/a.yaml:2:1: config error, unknown key 'version'\n  version: 2\n  ^\n` +
        `${dir}/b.yaml:1:9: config file cannot have empty domain\n  domain: ""\n          ^\n2 problems in ${dir}\n`,
    );
  });

  it('takes two files of one domain for one with --merge-domain-config only', async () => {
    const files = [join(dir, 'a.yaml'), join(dir, 'b.yaml')];
    for (const [i, file] of files.entries()) writeFileSync(file, `domain: d\ndescriptors: [{key: k${i}}]\n`);
    expect((await checked(files)).code).to.equal(1);
    expect((await checked([...files, '--merge-domain-config'])).code).to.equal(0);
    expect((await checked(files, true)).code).to.equal(0);
  });

  it('answers 1 for a path that is not there, and 2 without a path or with an unknown flag', async () => {
    const missing = join(dir, 'none');
    expect(await checked([missing])).to.deep.include({
      code: 1,
      err: `${missing}: no such file or directory\n1 problem in ${missing}\n`,
    });
    expect((await checked([])).code).to.equal(2);
    expect((await checked([dir, '--merge'])).code).to.equal(2);
  });
});
