import { expect } from 'chai';
import { explain } from '../../src/cli/explain.ts';
import { type Ended, type Folder, folder, weir } from './weir.ts';

const RULES = `domain: api
descriptors:
  - key: user
    value: a*
    rate_limit: { requests_per_unit: 100, unit: minute, unit_multiplier: 5, algorithm: sliding_window }
  - key: user
    rate_limit: { requests_per_unit: 3, unit: day }
  - key: token
    hash_value: true
    rate_limits:
      - { name: speed, requests_per_unit: 10, unit: second, algorithm: token_bucket, burst: 30 }
      - { requests_per_unit: 1000, unit: month, calendar: true, time_zone: Europe/Berlin, shadow_mode: true }
  - { key: free, rate_limit: { unlimited: true } }
  - { key: listed }
`;

async function explained(...args: readonly string[]): Promise<Ended> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const code = await explain(args, { write: (text) => stdout.push(text) }, { write: (text) => stderr.push(text) });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

describe('weir explain', () => {
  let rules: Folder;
  let path: string;
  beforeEach(async () => {
    rules = await folder();
    path = await rules.write('rules.yaml', RULES);
  });
  afterEach(() => rules.remove());

  const about = (...descriptors: readonly string[]) =>
    explained('--rules', path, '--domain', 'api', ...descriptors.flatMap((each) => ['--descriptor', each]));

  it('tells the rule that was picked, with its line, why others were not, the limit, the counter and the metric', async () => {
    const { code, stdout } = await about('user=ann');
    expect(code).to.equal(0);
    expect(stdout).to.match(/picked {2}user_a\* \(.*rules\.yaml:3\)/);
    expect(stdout).to.match(/not {5}user \(.*rules\.yaml:6\): is for every value, which comes last/);
    expect(stdout).to.include('100 per 5 minutes, sliding_window');
    expect(stdout).to.match(/counter \{api\|user=ann\}\|sliding_window:5minute\|\d+\n/);
    expect(stdout).to.include('metrics api.user_a*, {domain="api", key1="user_a*"}');
  });

  it('tells the key that the Go service has for a limit which it knows', async () => {
    expect((await about('user=bob')).stdout).to.match(/counter api_user_bob_\d+\n/);
  });

  it('tells every limit of a rule, and of a hashed value never the value', async () => {
    const { stdout } = await about('token=s3cret');
    expect(stdout).to.include('speed: 10 per second, token_bucket with burst 30');
    expect(stdout).to.include('1000 per month of the calendar in Europe/Berlin, fixed_window, in shadow mode');
    expect(stdout).to.include('counter {api|token=<hash>}|token_bucket:second|');
    expect(stdout.split('\n').filter((line) => line.includes('counter') && line.includes('s3cret'))).to.deep.equal([]);
  });

  it('tells unlimited, a rule without a limit, a miss and an unknown domain', async () => {
    const { stdout } = await about('free', 'listed', 'missing=x');
    expect(stdout).to.include('=> unlimited, by free');
    expect(stdout).to.include('=> not limited: its rule has no limit');
    expect(stdout).to.include('=> not limited: no rule is for all of its entries');
    const elsewhere = await explained('--rules', path, '--domain', 'other', '--descriptor', 'user=x');
    expect(elsewhere.stdout).to.include('=> not limited: no rules have this domain');
  });

  it('tells the same as JSON', async () => {
    const { stdout } = await explained('--rules', path, '--domain', 'api', '--descriptor', 'token=x', '--json');
    const [first] = JSON.parse(stdout);
    expect(first.outcome).to.equal('limited');
    expect(
      first.limits.map(({ algorithm, capacity, metric }: Record<string, unknown>) => [algorithm, capacity, metric]),
    ).to.deep.equal([
      ['token_bucket', 30, 'api.token@speed'],
      ['fixed_window', 1000, 'api.token@month'],
    ]);
  });

  it('exits 1 with the problems of bad rules, 2 for a wrong call', async () => {
    const bad = await rules.write('bad.yaml', 'domain: bad\ndescriptors:\n  - { value: x }\n');
    const found = await explained('--rules', bad, '--domain', 'bad', '--descriptor', 'x');
    expect(found).to.include({ code: 1, stdout: '' });
    expect(found.stderr).to.include('bad.yaml:3');
    expect(await explained('--domain', 'd', '--descriptor', 'x')).to.include({ code: 2 });
    expect((await explained('--rules', path, '--domain', 'd', '--descriptor', '=x')).stderr).to.include('needs a key');
    expect(weir(['explain', '--nothing'])).to.include({ code: 2 });
  });

  it('reads KEY_FORMAT and the hash secret as the service does', () => {
    const call = ['explain', '--rules', path, '--domain', 'api', '--descriptor', 'user=bob', '--descriptor', 'token=x'];
    const { stdout } = weir(call, { KEY_FORMAT: 'escaped', HASH_VALUE_SECRET: 'salt' });
    expect(stdout).to.match(/counter \{api\|user=bob\}\|fixed_window:day\|\d+\n/);
    expect(stdout).to.match(/counter \{api\|token=[\w-]{22}\}\|token_bucket:second\|\n/);
  });
});
