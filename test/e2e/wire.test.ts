import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { openLoop } from '../support/load.ts';
import { bed, perWindow } from './bed.ts';
import { RLS_CLUSTER } from './envoy-config.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const PER_SECOND = 2_000;
/** Node's own HTTP/2 closes a connection after 1,000 resets at once and 33 a second. */
const CALLS = 5_000;

describe('Envoy on wire @weir', () => {
  // Calls must hang in weir for as long as Redis stands still, so that it is Envoy that gives them up.
  const env = { GRPC_TRANSPORT: 'wire', REDIS_COMMAND_TIMEOUT: '60s', REDIS_MAX_BATCHES_IN_FLIGHT: '1000000' };
  const b = bed({ store: 'redis', env });
  const route = b.route('stalled', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(1_000_000) }],
  });
  const before = b.route('before-stalled', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(2) }],
  });
  const after = b.route('after-stalled', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(2) }],
  });
  const stat = (name: string) => b.envoy().stat(`cluster.${RLS_CLUSTER}.${name}`);

  it(`loses no connection while it resets thousands of calls: Redis stands still for ${CALLS} calls at ${PER_SECOND} a second`, async () => {
    expect(await before.statuses(3)).to.deep.equal([200, 200, 429]);
    expect(await route.statuses(20)).to.deep.equal(new Array(20).fill(200));
    b.redis().freeze();
    const load = openLoop(PER_SECOND, () => route.get({ through: 'hastyOpen' }));
    try {
      await eventually('the calls to be made', () => load.begun() >= CALLS, 60_000);
    } finally {
      b.redis().thaw();
    }
    await load.finish();
    expect(await stat('upstream_rq_timeout')).to.be.greaterThan(CALLS / 4);
    // A starved Envoy may end one of its own, when it has more than 1,000 resets to send at once.
    expect(await stat('upstream_cx_destroy_remote')).to.equal(0);
    expect([await stat('upstream_rq_rx_reset'), await stat('upstream_cx_protocol_error')]).to.deep.equal([0, 0]);
    await eventually('a decision again', async () => (await route.get({ through: 'strict' })).status === 200);
    expect(await after.statuses(3)).to.deep.equal([200, 200, 429]);
  });
});
