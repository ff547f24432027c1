import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ENTRIES } from '../../src/settings/settings.ts';
import { weir } from '../cli/weir.ts';
import { goService, helm } from '../foreign/go-tools.ts';
import { orSkip, run } from '../foreign/toolchain.ts';
import { read } from '../house/tree.ts';
import { type Side, side } from '../peer/side-by-side.ts';
import { needsRedis } from '../support/redis.ts';
import { containerOf, environmentOf, only, rendered } from './chart.ts';

const PAGE = read('docs/canary.md');
const BUILD_MS = 600_000;
const ROUND_MS = 120_000;
const blocks = [...PAGE.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text = '']) => ({ language, text }));
const commands = blocks
  .filter(({ language }) => language === 'console')
  .flatMap(({ text }) => text.trim().split('\n'))
  .map((line) => line.replace(/\s+#.*/, ''));

describe('docs/canary.md', () => {
  let go: Side;
  let ours: Side;
  before('build the Go service', async function () {
    this.timeout(BUILD_MS);
    needsRedis(this);
    const command = await orSkip(this, goService);
    const limit = { unit: 'hour', requests_per_unit: 300 };
    const rules = { 'one.yaml': JSON.stringify({ domain: 'one', descriptors: [{ key: 'user', rate_limit: limit }] }) };
    go = await side({ command, rules, env: {} });
    ours = await side({ command: `${process.execPath} dist/main.js serve`, rules, env: {}, redis: go.redis });
  });
  after(async () => {
    await ours?.stop();
    await go?.stop();
  });

  it('shows commands that are run here, and no others', () => {
    expect(commands.map((line) => line.split(' ').slice(0, 2).join(' '))).to.deep.equal([
      'weir check',
      'weir doctor',
      'weir client',
      'weir client',
      'redis-cli --scan',
    ]);
  });

  it('charges one counter of 2 by its two calls, one to weir and one to the Go service', async function () {
    this.timeout(ROUND_MS);
    const hosts: Readonly<Record<string, string>> = {
      'weir:8081': ours.server.grpcAddress,
      'ratelimit:8081': go.server.grpcAddress,
    };
    for (const command of commands.filter((line) => line.startsWith('weir client'))) {
      const args = command.split(' ').slice(1);
      const said = weir(args.map((arg) => hosts[arg] ?? arg));
      expect(said.code, said.stderr).to.equal(0);
    }
    const scan = (commands.at(-1) ?? '').replaceAll("'", '').split(' ').slice(1);
    const { output } = await run('redis-cli', ['-p', String(go.redis.port), ...scan]);
    const keys = output.trim().split('\n');
    expect(keys).to.have.length(1);
    expect(await go.redis.client.get(keys[0] ?? '')).to.equal('2');
  });

  it('checks rules and settings with the environment of the Go service', async function () {
    this.timeout(ROUND_MS);
    const folder = await mkdtemp(join(tmpdir(), 'weir-canary-'));
    try {
      await writeFile(join(folder, 'edge.yaml'), read('deploy/envoy/edge.yaml'));
      expect(weir(['check', folder])).to.include({ code: 0 });
      const env = { REDIS_SOCKET_TYPE: 'tcp', REDIS_URL: go.redis.url, USE_STATSD: 'false' };
      const { output } = await run(process.execPath, ['dist/main.js', 'doctor', '--rules', folder], env);
      expect(output).to.match(/\d+ ok, /);
      expect(output).to.include('1 rule in 1 domain');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('shows values of the chart that put a weir behind the Service of the Go service', async function () {
    this.timeout(BUILD_MS);
    const binary = await orSkip(this, helm);
    const folder = await mkdtemp(join(tmpdir(), 'weir-canary-'));
    try {
      const values = join(folder, 'values.yaml');
      await writeFile(values, blocks.find(({ language }) => language === 'yaml')?.text ?? '');
      const deployment = only(rendered(binary, values), 'Deployment', 'weir-canary');
      expect(deployment.spec.template.metadata.labels).to.include({ app: 'ratelimit' });
      expect(deployment.spec.replicas).to.equal(1);
      expect(environmentOf(containerOf(deployment))).to.include({ REDIS_URL: 'redis:6379' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('has KEY_FORMAT, CACHE_KEY_PREFIX and COUNT_DENIED as they are when nobody sets them', () => {
    const settings = new Map(ENTRIES.map(([, setting]) => [setting.env, setting.default]));
    expect(['KEY_FORMAT', 'CACHE_KEY_PREFIX', 'COUNT_DENIED'].map((name) => settings.get(name))).to.deep.equal([
      'go',
      '',
      'true',
    ]);
  });
});
