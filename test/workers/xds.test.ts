import { expect } from 'chai';
import { orSkip } from '../foreign/toolchain.ts';
import { one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric, page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { type ControlPlane, controlPlane, controlPlaneProgram, NODE, type PlaneDomain } from '../xds/control-plane.ts';
import { allEnd, type Bed, bed, WORKERS } from './bed.ts';
import { type Connection, connection } from './connection.ts';

const CONNECTIONS = 2 * WORKERS;
const YEAR = 6;
const PATIENCE_MS = 60_000;

/** The value is refused, and all others have as many as they like. */
const refusing = (value: string): PlaneDomain => ({
  name: 'd',
  domain: 'd',
  descriptors: [
    { key: 'user', value, rate_limit: { unit: YEAR, requests_per_unit: 0 } },
    { key: 'user', rate_limit: { unit: YEAR, requests_per_unit: 1_000_000 } },
  ],
});

describe(`the rules of ${WORKERS} workers from a control plane on go-control-plane (needs go)`, function () {
  this.timeout(300_000);
  const opened = closers();
  const clients: Connection[] = [];
  let plane: ControlPlane;
  let on: Bed;

  before(async function () {
    needsRedis(this);
    plane = await controlPlane(await orSkip(this, controlPlaneProgram));
    opened(plane, plane.close);
    await plane.set('one', refusing('ann'));
    on = await bed(
      {},
      {
        CONFIG_TYPE: 'GRPC_XDS_SOTW',
        CONFIG_GRPC_XDS_SERVER_URL: plane.address,
        CONFIG_GRPC_XDS_NODE_ID: NODE,
        CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '100ms',
        XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '100ms',
        XDS_CLIENT_BACKOFF_MAX_INTERVAL: '500ms',
      },
    );
    opened(on, on.close);
    connect();
  });
  after(() => {
    for (const client of clients) client.close();
  });

  /** One after the other, as workers take turns. */
  function connect(): void {
    for (const client of clients.splice(0)) client.close();
    for (let i = 0; i < CONNECTIONS; i++) clients.push(connection(`127.0.0.1:${on.weir.grpcPort}`));
  }

  const answers = (value: string) => Promise.all(clients.map(({ ask }) => ask(one('d', 'user', value))));
  const refusedFor = (value: string): Promise<unknown> =>
    eventually(
      `no ${value} on any connection`,
      async () => (await answers(value)).every((answer) => answer === 'OVER_LIMIT'),
      PATIENCE_MS,
    );
  const told = (series: string) => metric(on.weir.httpPort, series);

  it('come by one stream, which accepts each set once, and are live in all of them', async () => {
    await refusedFor('ann');
    await plane.set('two', refusing('bob'));
    await refusedFor('bob');
    expect(await answers('ann')).to.deep.equal(Array(CONNECTIONS).fill('OK'));
    const requests = await plane.requests();
    expect([...new Set(requests.map(({ stream }) => stream))]).to.have.length(1);
    expect(requests.map(({ version }) => version)).to.deep.equal(['', 'one', 'two']);
    expect(await told('ratelimit_xds_connected')).to.equal(1);
    expect(await told('ratelimit_xds_responses_total{answer="ack"}')).to.equal(2);
    expect(await told('ratelimit_rules_generation')).to.equal(2);
  });

  it('stay as they are in all of them when a set is refused, which the control plane is told', async () => {
    await plane.set('bad', { ...refusing('ann'), descriptors: [{ key: '' }] });
    const refused = await eventually('a NACK', async () => (await plane.requests()).find(({ error }) => error !== ''));
    expect(refused).to.include({ version: 'two', error: 'd: d.: descriptor has empty key' });
    expect(await answers('bob')).to.deep.equal(Array(CONNECTIONS).fill('OVER_LIMIT'));
    expect(await told('ratelimit_service_config_load_error')).to.equal(1);
    expect(JSON.parse((await page(on.weir.httpPort, '/readyz')).body)).to.include({ rules: 'loaded' });
  });

  it('are those of before in workers that are started while the control plane is away, and follow it when it is back', async () => {
    await plane.kill();
    await eventually('the loss to be noticed', async () => (await told('ratelimit_xds_connected')) === 0, PATIENCE_MS);
    const before = on.pids();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await allEnd(before);
    await on.whole();
    connect();
    await refusedFor('bob');
    expect(await answers('ann')).to.deep.equal(Array(CONNECTIONS).fill('OK'));
    await plane.start();
    await plane.set('three', refusing('cid'));
    await refusedFor('cid');
    expect((await plane.requests())[0]).to.include({ version: 'two', nonce: '' });
    expect(await told('ratelimit_rules_generation')).to.equal(3);
  });
});
