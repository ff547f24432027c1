import { expect } from 'chai';
import { eventually, PATIENCE_MS } from '../support/eventually.ts';
import { type Bed, bed, perWindow, type Route, tally } from './bed.ts';
import { RLS_CLUSTER } from './envoy-config.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const LIMIT = 300;
const LOOPS = 20;

function limited(b: Bed, name: string): Route {
  return b.route(name, {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(LIMIT) }],
  });
}

const connections = (b: Bed) => b.envoy().stat(`cluster.${RLS_CLUSTER}.upstream_cx_total`);

/** The statuses of requests that go on, `LOOPS` at a time, until there have been enough and `done` says so. */
async function under(route: Route, atLeast: number, done: () => Promise<boolean>): Promise<number[]> {
  const statuses: number[] = [];
  let over = false;
  const loops = Array.from({ length: LOOPS }, async () => {
    while (!over || statuses.length < atLeast) statuses.push((await route.get()).status);
  });
  try {
    await eventually('it to be done', done, 2 * PATIENCE_MS);
  } finally {
    over = true;
  }
  await Promise.all(loops);
  return statuses;
}

describe('connections that may live for half a second', () => {
  const b = bed({ store: 'redis', env: { GRPC_MAX_CONNECTION_AGE: '500ms', GRPC_MAX_CONNECTION_AGE_GRACE: '5s' } });
  const aged = limited(b, 'aged');

  it(`are left by Envoy's 2 workers at least 4 times without a failed request; ${LIMIT} are allowed, each counts once`, async () => {
    const statuses = await under(aged, 2 * LIMIT, async () => (await connections(b)) >= 10);
    expect(tally(statuses)).to.deep.equal({ 200: LIMIT, 429: statuses.length - LIMIT });
    expect(await b.counter('aged_generic_key_all')).to.equal(statuses.length);
  });
});

describe('mutual TLS', () => {
  // Retries for the calls that were under way when a connection is left: over TLS there is one GOAWAY, not two.
  const env = { GRPC_MAX_CONNECTION_AGE: '500ms' };
  const b = bed({ store: 'redis', tls: 'ours', healthChecks: true, retries: true, env });
  const renewed = limited(b, 'renewed');

  it('carries decisions and health checks, and a certificate that is renewed 3 times under load fails none', async () => {
    let renewals = 0;
    let before = 0;
    const statuses = await under(renewed, 2 * LIMIT, async () => {
      const now = await connections(b);
      // Both workers have dialled since the last time, so they have seen the certificate of then.
      if (now < before + 4) return false;
      if (renewals === 3) return true;
      await b.renew();
      renewals++;
      before = now;
      return false;
    });
    expect(tally(statuses)).to.deep.equal({ 200: LIMIT, 429: statuses.length - LIMIT });
    expect(await b.counter('renewed_generic_key_all')).to.equal(statuses.length);
    expect(await b.envoy().stat(`cluster.${RLS_CLUSTER}.ssl.handshake`)).to.be.greaterThan(12);
    expect(await b.envoy().stat(`cluster.${RLS_CLUSTER}.ssl.connection_error`)).to.equal(0);
    expect(await b.envoy().stat(`cluster.${RLS_CLUSTER}.membership_healthy`)).to.equal(1);
  });
});

describe("a stranger's certificate", () => {
  const b = bed({ store: 'redis', tls: 'stranger' });
  const refused = limited(b, 'refused');

  it('gets no decision: requests fail where failures deny, and pass unlimited where they do not', async () => {
    expect(await refused.statuses(3)).to.deep.equal([500, 500, 500]);
    expect(await refused.statuses(3, { through: 'open' })).to.deep.equal([200, 200, 200]);
    expect(await b.counter('refused_generic_key_all')).to.equal(undefined);
  });
});
