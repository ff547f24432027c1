import { expect } from 'chai';
import { orSkip } from '../foreign/toolchain.ts';
import { type Caller, caller, one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric, page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import {
  type ControlPlane,
  controlPlane,
  controlPlaneProgram,
  NODE,
  type PlaneDomain,
  type PlaneRule,
} from './control-plane.ts';
import { cpuSeconds } from './cpu.ts';

const YEAR = 6;
const WEEK = 7;

const limited = (domain: string, requests: number, more: Partial<PlaneRule> = {}): PlaneDomain => ({
  name: domain,
  domain,
  descriptors: [{ key: 'k', rate_limit: { unit: YEAR, requests_per_unit: requests }, ...more }],
});

/** Small waits, so that a stream that ended is soon there again. */
const QUICK = {
  CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '100ms',
  XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '100ms',
  XDS_CLIENT_BACKOFF_MAX_INTERVAL: '500ms',
};

describe('rules from a control plane on go-control-plane (needs go)', function () {
  this.timeout(300_000);
  const opened = closers();
  let binary: string;
  let plane: ControlPlane;
  let weir: Service;
  let client: Caller;

  before(async function () {
    binary = await orSkip(this, controlPlaneProgram);
    plane = await controlPlane(binary);
    opened(plane, plane.close);
    await plane.set('one', limited('a', 1));
    weir = await service({
      rules: {},
      env: {
        CONFIG_TYPE: 'GRPC_XDS_SOTW',
        CONFIG_GRPC_XDS_SERVER_URL: plane.address,
        CONFIG_GRPC_XDS_NODE_ID: NODE,
        CONFIG_GRPC_XDS_NODE_METADATA: 'zone=a,shard=7',
        CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: 'x-token:hunter2',
        RESPONSE_DYNAMIC_METADATA: 'true',
        LOG_LEVEL: 'info',
        ...QUICK,
      },
    });
    opened(weir, weir.close);
    client = caller(weir.grpcPort);
    opened(client, client.close);
  });

  const lines = async (): Promise<string[]> => (await page(weir.adminPort, '/rlconfig')).body.trim().split('\n').sort();
  /** Polls until these are the rules that are live. */
  const live = (...expected: readonly string[]): Promise<unknown> =>
    eventually(`the rules ${expected.join(', ')}`, async () => {
      const told = (await lines()).map((line) => line.replace(/, shadow_mode.*/, ''));
      if (JSON.stringify(told) === JSON.stringify(expected)) return true;
      throw new Error(told.join(', '));
    });
  const nacks = async () => (await plane.requests()).filter(({ error }) => error !== '');

  it('has the first set when it starts, and says who it is and what it accepted', async () => {
    expect(await client.ask(one('a', 'k', 'v'))).to.equal('OK');
    expect(await client.ask(one('a', 'k', 'v'))).to.equal('OVER_LIMIT');
    const [first, second, ...more] = await eventually('the ACK', async () => {
      const found = await plane.requests();
      return found.length > 1 && found;
    });
    expect(more).to.deep.equal([]);
    expect(first).to.include({ version: '', nonce: '', error: '', nodeId: NODE });
    expect(first!.metadata).to.deep.equal({ zone: 'a', shard: '7' });
    expect(first!.headers).to.include({ 'x-token': 'hunter2' });
    expect(second).to.include({ version: 'one', error: '', nodeId: NODE });
    expect(second!.nonce).to.not.equal('');
    expect(weir.process().output()).to.not.include('hunter2');
  });

  it('takes a set of two domains for the whole, with a week, which the types there have no name for', async () => {
    await plane.set('two', limited('b', 2), limited('c', 3, { rate_limit: { unit: WEEK, requests_per_unit: 3 } }));
    await live('b.k: unit=YEAR requests_per_unit=2', 'c.k: unit=WEEK requests_per_unit=3');
    const answers: string[] = [];
    for (const domain of ['b', 'b', 'b', 'c', 'c', 'c', 'c', 'a'])
      answers.push(await client.ask(one(domain, 'k', 'v')));
    expect(answers).to.deep.equal(['OK', 'OK', 'OVER_LIMIT', 'OK', 'OK', 'OK', 'OVER_LIMIT', 'OK']);
  });

  it('refuses a bad set with its problems, keeps the good one, and is not driven into a loop', async () => {
    const cpuBefore = cpuSeconds(weir.process().pid);
    await plane.set('bad', limited('b', 9), limited('bad', 1, { descriptors: [{ key: '' }] }));
    const refused = await eventually('5 NACKs', async () => {
      const found = await nacks();
      return found.length >= 5 && found;
    });
    for (const request of refused) {
      expect(request).to.include({ version: 'two', error: 'bad: bad.k.: descriptor has empty key' });
    }
    // The fifth comes after 100, 200, 400 and 800 ms, so a loop would have made thousands meanwhile.
    expect(refused.length).to.be.lessThan(20);
    expect(new Set(refused.map(({ nonce }) => nonce)).size).to.equal(refused.length);
    expect(cpuSeconds(weir.process().pid) - cpuBefore).to.be.lessThan(1);
    await live('b.k: unit=YEAR requests_per_unit=2', 'c.k: unit=WEEK requests_per_unit=3');
    expect(await metric(weir.httpPort, 'ratelimit_xds_responses_total{answer="nack"}')).to.be.at.least(5);
    expect(await metric(weir.httpPort, 'ratelimit_service_config_load_error')).to.equal(1);
  });

  it('takes the mended set, and refuses no more', async () => {
    await plane.set('mended', limited('b', 9));
    await live('b.k: unit=YEAR requests_per_unit=9');
    const last = await eventually('the ACK', async () => {
      const found = (await plane.requests()).at(-1)!;
      return found.error === '' && found;
    });
    expect(last.version).to.equal('mended');
    expect(await metric(weir.httpPort, 'ratelimit_rules_problems')).to.equal(0);
  });

  it('opens a stream that was reset again, with the version it has and no nonce of the old stream', async () => {
    const before = (await plane.requests()).length;
    await plane.reset();
    const again = await eventually('a new stream', async () => (await plane.requests())[before]);
    expect(again).to.include({ version: 'mended', nonce: '', error: '', nodeId: NODE });
    await plane.set('after', limited('b', 10));
    await live('b.k: unit=YEAR requests_per_unit=10');
    expect(await metric(weir.httpPort, 'ratelimit_xds_connects_total')).to.equal(2);
  });

  it('goes on with the last good set while the server is away, at hardly any cost, and follows it when it is back', async () => {
    const awayMs = process.env.SOAK === '1' ? 20_000 : 3_000;
    await plane.kill();
    await eventually(
      'the loss to be noticed',
      async () => (await metric(weir.httpPort, 'ratelimit_xds_connected')) === 0,
    );
    const { pid } = weir.process();
    const cpuBefore = cpuSeconds(pid);
    const until = Date.now() + awayMs;
    await eventually(`${awayMs} ms to pass`, () => Date.now() >= until, 2 * awayMs);
    expect(cpuSeconds(pid) - cpuBefore).to.be.at.most(1);
    expect(await client.ask(one('b', 'k', 'away'))).to.equal('OK');
    await plane.start();
    await plane.set('back', limited('b', 11));
    await live('b.k: unit=YEAR requests_per_unit=11');
    expect((await plane.requests())[0]).to.include({ version: 'after', nonce: '' });
  });

  it('takes words that the message lacks out of metadata, and gives back the rest alone', async () => {
    const metadata = { weir: { share_threshold: true }, team: 'x' };
    const rule = { key: 'k', value: 'v*', rate_limit: { unit: YEAR, requests_per_unit: 2 }, metadata };
    await plane.set('words', { ...limited('w', 0), descriptors: [rule] });
    await live('w.k_v*: unit=YEAR requests_per_unit=2');
    const answers = [];
    for (const value of ['v1', 'v2', 'v3']) answers.push(await client.check(one('w', 'k', value)));
    expect(answers.map(({ overallCode }) => overallCode)).to.deep.equal(['OK', 'OK', 'OVER_LIMIT']);
    const told = JSON.stringify(answers[0]!.dynamicMetadata);
    expect(told).to.include('"team"').and.not.include('weir').and.not.include('share_threshold');
  });

  it('reads quota_mode, which the types there lack: one spent quota of two refuses nothing', async () => {
    const quota = (key: string, requests: number): PlaneRule => ({
      key,
      rate_limit: { unit: YEAR, requests_per_unit: requests },
      quota_mode: true,
    });
    await plane.set('quota', { name: 'q', domain: 'q', descriptors: [quota('a', 1), quota('b', 2)] });
    await live('q.a: unit=YEAR requests_per_unit=1', 'q.b: unit=YEAR requests_per_unit=2');
    const both = {
      domain: 'q',
      descriptors: ['a', 'b'].map((key) => ({ entries: [{ key, value: 'v' }] })),
    };
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await client.ask(both));
    expect(answers).to.deep.equal(['OK', 'OK', 'OVER_LIMIT']);
  });

  it('takes an empty set for one without domains, and is still healthy', async () => {
    await plane.set('none');
    await live('');
    expect(await client.ask(one('q', 'a', 'v'))).to.equal('OK');
    expect((await page(weir.httpPort, '/healthcheck')).status).to.equal(200);
    expect(await metric(weir.httpPort, 'ratelimit_service_config_load_error')).to.equal(1);
  });
});
