import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { TEST_HELP, test } from '../../src/cli/test.ts';
import { type Ended, type Folder, folder, weir } from './weir.ts';

const RULES = `domain: d
descriptors:
  - { key: user, rate_limit: { unit: minute, requests_per_unit: 2, name: few } }
  - { key: bucket, rate_limit: { unit: second, requests_per_unit: 10, algorithm: token_bucket, burst: 3 } }
  - { key: month, rate_limit: { unit: month, requests_per_unit: 1, calendar: true, time_zone: Europe/Berlin } }
  - { key: free, rate_limit: { unlimited: true } }
`;

async function tested(...args: readonly string[]): Promise<Ended> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const code = await test(args, { write: (text) => stdout.push(text) }, { write: (text) => stderr.push(text) });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

describe('weir test', () => {
  let files: Folder;
  let rules: string;
  beforeEach(async () => {
    files = await folder();
    rules = await files.write('rules.yaml', RULES);
  });
  afterEach(() => files.remove());

  const cases = async (text: string): Promise<Ended> =>
    tested(rules, await files.write('cases.yaml', `domain: d\ncases:\n${text}`));

  it('exits 0 when all is as expected: outcome, rule, limit, remaining and reset', async () => {
    const told = await cases(`
  - name: two a minute
    start: 2026-11-21T08:00:10Z
    steps:
      - { ask: user=ann, expect: { outcome: ok, rule: user, limit: few, remaining: 1, reset: 50s } }
      - { ask: user=ann, expect: { outcome: ok, rule: d.user, remaining: 0 } }
      - { ask: user=ann, expect: over_limit }
      - { ask: user=bob, expect: ok }
      - { wait: 50s }
      - { ask: user=ann, expect: { outcome: ok, remaining: 1, reset: 60s } }
`);
    expect(told).to.deep.equal({ code: 0, stdout: 'ok   two a minute\n1 passed, 0 failed\n', stderr: '' });
  });

  it('exits 1 and tells line, call, what was expected and what came instead', async () => {
    const { code, stdout } = await cases(`
  - name: too many
    steps:
      - { ask: user=ann, times: 3, expect: { outcome: ok, rule: other } }
  - name: two more
    steps:
      - { ask: user=ann, times: 3, expect: ok }
`);
    expect(code).to.equal(1);
    expect(stdout).to.include('cases.yaml:6: user=ann, call 1 of 3\n       rule: expected other, got user\n');
    expect(stdout).to.include('cases.yaml:9: user=ann, call 3 of 3\n       outcome: expected ok, got over_limit\n');
    expect(stdout).to.match(/0 passed, 2 failed\n$/);
  });

  it('moves the clock by what is waited alone, so that a bucket fills and a month of Berlin ends', async () => {
    const { code, stdout } = await cases(`
  - name: bucket
    steps:
      - { ask: bucket=b, times: 3, expect: ok }
      - { ask: bucket=b, expect: { outcome: over_limit, reset: 1s } }
      - { wait: 100ms }
      - { ask: bucket=b, expect: ok }
      - { ask: bucket=b, expect: over_limit }
  - name: month
    start: 2026-11-30T22:59:59Z
    steps:
      - { ask: month=m, expect: { outcome: ok, reset: 1s } }
      - { ask: month=m, expect: over_limit }
      - { wait: 1s }
      - { ask: month=m, expect: { outcome: ok, reset: 2678400s } }
`);
    expect([stdout, code]).to.deep.equal(['ok   bucket\nok   month\n2 passed, 0 failed\n', 0]);
  });

  it('takes several descriptors, hits, refunds and overrides, and expectations for each', async () => {
    const { code, stdout } = await cases(`
  - name: several
    steps:
      - ask: [user=ann, free, missing=x, { entries: 'any=1,other=2', limit: 5/hour, hits: 4 }]
        expect: { outcome: ok, descriptors: [{ remaining: 1 }, { rule: unlimited }, { rule: none }, { rule: override, remaining: 1 }] }
      - { ask: { entries: user=ann, hits: 1, refund: true }, expect: { remaining: 2 } }
      - { ask: user=ann, hits: 3, expect: over_limit }
`);
    expect([stdout, code]).to.deep.equal(['ok   several\n1 passed, 0 failed\n', 0]);
  });

  it('exits 2 with every problem of the cases, and where', async () => {
    const { code, stderr } = await cases(`
  - nam: x
    steps:
      - { ask: x, wait: 3 }
      - { ask: =x }
      - { ask: [a, b], times: x, expect: { remaining: 3, outcom: ok } }
      - { expect: maybe }
      - { ask: a, expect: { descriptors: [ok, ok] } }
      - { ask: { entries: a, limit: 10/fortnight } }
`);
    expect(code).to.equal(2);
    for (const problem of [
      "cases.yaml:4:5: unknown key 'nam', did you mean 'name'?",
      'an entry needs a key',
      'wait stands alone',
      "'3' is no duration",
      "unknown key 'outcom', did you mean 'outcome'?",
      'whose remaining? there are several descriptors',
      'a whole number from 1 to 1000000 belongs here',
      'a step asks or waits',
      "unknown outcome 'maybe'",
      '2 expectations for 1 descriptors',
      "this is no limit, write it as '10/minute'",
    ]) {
      expect(stderr).to.include(problem);
    }
  });

  for (const [what, step, problem] of [
    ['a step that is asked 0 times', '{ ask: user=ann, times: 0, expect: ok }', 'from 1 to 1000000 belongs here'],
    ['0 hits of a request, which mean 1', '{ ask: user=ann, hits: 0 }', 'from 1 to 4294967295 belongs here'],
    ['a refund that is neither', '{ ask: { entries: user=ann, refund: yes } }', 'true or false belongs here'],
    ['an override above 32 bits', '{ ask: { entries: user=ann, limit: 9999999999/hour } }', 'this is no limit'],
    ['a wait of 300 years', '{ wait: 109500d }', "'109500d' is too long, at most 73000d"],
  ] as const) {
    it(`exits 2 for ${what}`, async () => {
      const { code, stderr } = await cases(`  - steps: [${step}]\n`);
      expect(code).to.equal(2);
      expect(stderr).to.include(problem);
    });
  }

  it('exits 2 for a start in nobody knows which zone, and takes dates and offsets', async () => {
    const from = (start: string) =>
      cases(`  - start: ${start}\n    steps: [{ ask: user=ann, expect: { reset: 60s } }]\n`);
    for (const start of ['2026-11-21T08:00', '2026-11-21 08:00:00', '21 Nov 2026', '1', '9999-01-01']) {
      expect((await from(start)).stderr).to.include('this is no time');
    }
    for (const start of ['2026-11-21', '2026-11-21T08:00:00+05:45', '2026-11-21 08:00Z']) {
      expect((await from(start)).code).to.equal(0);
    }
  });

  it('rounds a wait to whole microseconds, in which the service counts', async () => {
    const { code } = await cases(`
  - steps:
      - { ask: bucket=b, times: 3, expect: ok }
      - { wait: 99.9996ms }
      - { ask: bucket=b, expect: ok }
`);
    expect(code).to.equal(0);
  });

  it('exits 2 when the file of the hash secret is away', () => {
    const ended = weir(['test', rules, rules], { HASH_VALUE_SECRET_FILE: '/nonexistent/secret' });
    expect(ended.code).to.equal(2);
  });

  it('exits 2 for no cases at all, bad rules, a missing file and a wrong call', async () => {
    expect((await cases('')).code).to.equal(2);
    expect((await cases('  []')).stderr).to.include('cases: holds none');
    const bad = await files.write('bad.yaml', 'domain: d\ndescriptors: [{ value: x }]\n');
    const good = await files.write('good.yaml', 'domain: d\ncases: [{ steps: [{ ask: a }] }]\n');
    expect(await tested(bad, good)).to.include({ code: 2, stdout: '' });
    expect(await tested(rules, join(files.path, 'missing.yaml'))).to.include({ code: 2 });
    expect(await tested(rules)).to.include({ code: 2 });
    expect(await tested(rules, good, '--nothing')).to.include({ code: 2 });
  });

  it('writes JUnit XML, whatever a name holds', async () => {
    const path = join(files.path, 'out.xml');
    const file = await files.write(
      'cases.yaml',
      'domain: d\ncases:\n  - { name: "<a> & \\"b\\" \\u0001", steps: [{ ask: user=a, expect: over_limit }] }\n  - { name: good, steps: [{ ask: user=a }] }\n',
    );
    expect((await tested(rules, file, '--junit', path)).code).to.equal(1);
    const xml = await readFile(path, 'utf8');
    expect(xml).to.include('tests="2" failures="1"');
    expect(xml).to.include('name="&lt;a&gt; &amp; &quot;b&quot; \ufffd"');
    expect(xml).to.include('<failure message="outcome: expected over_limit, got ok">');
  });

  it('as a command: passes the cases that its help shows, and reads SHADOW_MODE as the service does', async () => {
    const shown = TEST_HELP.split('\n').filter((line) => line.startsWith('    '));
    const file = await files.write('help.yaml', `${shown.join('\n').replaceAll(/^ {4}/gm, '')}\n`);
    const call = ['test', 'examples/rules', file];
    expect(weir(call)).to.include({ code: 0, stdout: 'ok   ten a minute for an address\n1 passed, 0 failed\n' });
    expect(weir(call, { SHADOW_MODE: 'true' })).to.include({ code: 1 });
  });
});
