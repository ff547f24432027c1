import { expect } from 'chai';
import { BOUNDS } from '../../src/wire/http2/bounds.ts';
import { CODE } from '../../src/wire/http2/frame.ts';
import { eventually } from '../support/eventually.ts';
import { openLoop } from '../support/load.ts';
import { call, GREETING, type Peer, peer, reset } from '../wire/peer.ts';
import { bed, perWindow } from './bed.ts';
import { RLS_CLUSTER } from './envoy-config.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const PER_SECOND = 2_000;
const CALLS = 10_000;
/** An Envoy has a connection for each of its threads. */
const PER_CONNECTION = 10_000;
const CALLERS = 64;
/** Of calls, by one that resets each in the read in which it came. */
const RAPID_RESETS = 3 * BOUNDS.maxResets.burst;
const CHECK = '/grpc.health.v1.Health/Check';

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

  async function rapidReset(): Promise<Peer> {
    const attacker = await peer(b.service(0).grpcPort);
    const taken = Array.from({ length: RAPID_RESETS }, (_, i) =>
      Buffer.concat([call(2 * i + 1, CHECK, Buffer.alloc(0)), reset(2 * i + 1, CODE.internalError)]),
    );
    attacker.send(GREETING, ...taken);
    return attacker;
  }

  it(`answers ${PER_CONNECTION} calls on one connection`, async () => {
    const statuses = new Set<number>();
    const isEnough = async () =>
      (await stat('upstream_rq_completed')) / (await stat('upstream_cx_total')) >= PER_CONNECTION;
    let enough = false;
    async function caller(): Promise<void> {
      while (!enough) statuses.add((await route.get()).status);
    }
    const callers = Array.from({ length: CALLERS }, caller);
    await eventually('the calls to be answered', isEnough, 120_000);
    enough = true;
    await Promise.all(callers);
    expect([...statuses]).to.deep.equal([200]);
    expect(await stat('upstream_cx_destroy')).to.equal(0);
  });

  it('keeps the connection of 100 callers who leave while Redis stands still', async () => {
    b.redis().freeze();
    try {
      const hangUps = Array.from({ length: 100 }, () => route.begin());
      await eventually('weir to have the calls', async () => (await stat('upstream_rq_active')) === 100);
      for (const hangUp of hangUps) hangUp();
      await eventually('Envoy to cancel them', async () => (await stat('upstream_rq_active')) === 0);
    } finally {
      b.redis().thaw();
    }
    expect(await stat('upstream_rq_tx_reset')).to.equal(100);
    expect(await route.statuses(10)).to.deep.equal(new Array(10).fill(200));
    expect(await stat('upstream_cx_destroy')).to.equal(0);
  });

  it(`loses no connection while it resets thousands of calls, and one that resets rapidly does: Redis stands still for ${CALLS} calls at ${PER_SECOND} a second`, async () => {
    expect(await before.statuses(3)).to.deep.equal([200, 200, 429]);
    expect(await route.statuses(20)).to.deep.equal(new Array(20).fill(200));
    b.redis().freeze();
    const load = openLoop(PER_SECOND, () => route.get({ through: 'hastyOpen' }));
    try {
      const attacked = rapidReset().then((attacker) => attacker.farewell());
      const made = eventually('the calls to be made', () => load.begun() >= CALLS, 60_000);
      expect((await Promise.all([attacked, made]))[0]).to.equal(CODE.enhanceYourCalm);
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
