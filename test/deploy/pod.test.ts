import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ask } from '../../src/cli/client.ts';
import { helm } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { type Certificates, certificates, type Signed } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { ownCluster } from '../support/redis-cluster.ts';
import { ownSentinel } from '../support/redis-sentinel.ts';
import { type Resource, rendered, VALUE_SETS } from './chart.ts';
import { type Pod, pod } from './pod.ts';

const BUILD_MS = 600_000;
const ROUND_MS = 120_000;

describe('a pod of the chart', () => {
  let binary: string;
  const toClose: (() => Promise<unknown>)[] = [];

  before('build helm', async function () {
    this.timeout(BUILD_MS);
    needsRedis(this);
    binary = await orSkip(this, helm);
  });
  afterEach(async () => {
    for (const close of toClose.splice(0).reverse()) await close();
  });

  const resources = (set: string, ...more: string[]): readonly Resource[] =>
    rendered(binary, VALUE_SETS[set] ?? null, ...more);
  const closed = <T extends { stop(): Promise<unknown> }>(what: T): T => {
    toClose.push(() => what.stop());
    return what;
  };
  const codes = async (running: Pod, count: number, more = {}): Promise<string[]> => {
    const answers: string[] = [];
    for (let i = 0; i < count; i++) {
      const question = { domain: 'edge', descriptors: ['remote_address=10.0.0.1'], timeoutMs: 10_000 };
      const { overallCode } = await ask({ address: `127.0.0.1:${running.ports.grpc}`, ...question, ...more });
      answers.push(overallCode);
    }
    return answers;
  };
  const ONE_A_YEAR =
    'domain: edge\ndescriptors:\n  - { key: remote_address, rate_limit: { unit: year, requests_per_unit: 1 } }\n';

  it('starts with the chart as it is, decides, takes a new ConfigMap while it runs, and ends with 0', async function () {
    this.timeout(ROUND_MS);
    const redis = closed(await ownRedis());
    const running = closed(await pod(resources('defaults'), { env: { REDIS_URL: redis.url, DRAIN_DELAY: '0s' } }));
    expect(await codes(running, 1)).to.deep.equal(['OK']);
    expect(await redis.client.keys('edge_remote_address_10.0.0.1_*')).to.have.length(1);
    await running.swap('rules', { 'edge.yaml': ONE_A_YEAR });
    await eventually('the new rules', async () => (await shown(running)).includes('YEAR'));
    expect(await codes(running, 2)).to.deep.equal(['OK', 'OVER_LIMIT']);
    running.process.signal('SIGTERM');
    expect(await running.process.ended).to.deep.equal({ code: 0, signal: null });
  });

  it('counts by itself with redis.enabled=false', async function () {
    this.timeout(ROUND_MS);
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'limits' },
      data: { 'edge.yaml': ONE_A_YEAR },
    };
    const running = closed(await pod([...resources('memory'), map], { env: { DRAIN_DELAY: '0s' } }));
    expect(await codes(running, 2)).to.deep.equal(['OK', 'OVER_LIMIT']);
  });

  describe('with Secrets', () => {
    let authority: Certificates;
    before(async () => {
      authority = await certificates();
    });
    after(() => authority?.remove());

    const text = (path: string): Promise<string> => readFile(path, 'utf8');
    const ofPair = async ({ cert, key }: Signed) => ({ 'tls.crt': await text(cert), 'tls.key': await text(key) });

    const read = async ({ cert, key }: Signed) => ({
      ca: await readFile(authority.ca),
      cert: await readFile(cert),
      key: await readFile(key),
    });

    it('logs in at a Redis over mTLS by a password file, and asks callers for a certificate', async function () {
      this.timeout(ROUND_MS);
      const own = await authority.sign('IP:127.0.0.1');
      const args = ['--requirepass', 'secret'];
      const redis: OwnRedis = closed(await ownRedis({ args, password: 'secret', tls: { ca: authority.ca, ...own } }));
      const ca = { 'ca.crt': await text(authority.ca) };
      const running = closed(
        await pod(resources('secure', `rules.files.edge\\.yaml=${ONE_A_YEAR.replaceAll(',', '\\,')}`), {
          env: { REDIS_URL: redis.url },
          secrets: {
            'redis-password': { password: 'secret\n' },
            'redis-ca': ca,
            'clients-ca': ca,
            'redis-client': await ofPair(await authority.sign('DNS:weir')),
            'weir-tls': await ofPair(own),
          },
        }),
      );
      const caller = await authority.sign('DNS:envoy.test');
      const tls = await read(caller);
      expect(await codes(running, 2, { tls })).to.deep.equal(['OK', 'OVER_LIMIT']);
      const stranger = await authority.sign('DNS:somebody.test');
      const refused = await codes(running, 1, { tls: await read(stranger) }).catch((error: Error) => error);
      expect(refused).to.be.instanceOf(Error);
    });
  });

  it('finds the master of a Sentinel group, with a password for either from the environment', async function () {
    this.timeout(ROUND_MS);
    const group = closed(await ownSentinel({ password: 'secret', sentinelPassword: 'guard' }));
    const values = [
      'redis.auth.inEnvironment=true',
      'redis.tls.enabled=false',
      'redis.db=0',
      'perSecondRedis.enabled=false',
    ];
    const none = ['redis.tls.caSecret=', 'redis.tls.clientSecret='];
    const running = closed(
      await pod(resources('sentinel', ...values, ...none), {
        env: { REDIS_URL: group.url, DRAIN_DELAY: '0s' },
        secrets: { 'redis-password': { password: 'secret' }, 'sentinel-password': { password: 'guard' } },
      }),
    );
    expect(await codes(running, 1)).to.deep.equal(['OK']);
    expect(await (await group.master()).client.keys('edge_*')).to.have.length(1);
  });

  it('counts in a Redis Cluster', async function () {
    this.timeout(ROUND_MS);
    const cluster = closed(await ownCluster({ password: 'secret' }));
    const running = closed(
      await pod(resources('cluster', 'extraVolumes=null', 'extraVolumeMounts=null', 'extraEnv=null'), {
        env: { REDIS_URL: cluster.url, DRAIN_DELAY: '0s' },
        secrets: { redis: { password: 'secret' }, hash: { secret: 'x'.repeat(32) }, admin: { token: 'token' } },
      }),
    );
    expect(await codes(running, 1)).to.deep.equal(['OK']);
    const { status } = await fetch(`http://127.0.0.1:${running.ports.admin}/rlconfig`);
    expect(status).to.equal(401);
  });
});

async function shown(running: Pod): Promise<string> {
  return (await fetch(`http://127.0.0.1:${running.ports.admin}/rlconfig`)).text();
}
