import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { bed, type Door, perWindow, type Route } from './bed.ts';
import { RLS_CLUSTER } from './envoy-config.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };

describe('a limiter or a Redis that is away', () => {
  const b = bed({ store: 'redis', env: { REDIS_COMMAND_TIMEOUT: '100ms' } });
  const allowing = (name: string, requests: number): Route =>
    b.route(name, {
      limits: [{ actions: [GENERIC] }],
      rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(requests) }],
    });
  const counter = (route: Route) => b.counter(`${route.domain}_generic_key_all`);

  const probe = b.route('probe', {
    limits: [{ actions: [GENERIC], hits_addend: { number: 0 } }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(1) }],
  });
  const backAgain = () => eventually('a decision again', async () => (await probe.get()).status === 200);
  const timeouts = () => b.envoy().stat(`cluster.${RLS_CLUSTER}.upstream_rq_timeout`);

  /** What a filter that denies and one that is open make of an error. */
  async function expectErrors(route: Route, denying: Door, open: Door): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const denied = await route.get({ through: denying });
      expect(denied.status).to.equal(500);
      expect(await b.logged(denied.id)).to.include({ details: 'rate_limiter_error', flags: 'RLSE' });
    }
    const passed = await route.get({ through: open });
    expect([passed.status, passed.body]).to.deep.equal([200, 'upstream']);
    expect(await route.statuses(2, { through: open })).to.deep.equal([200, 200]);
  }

  const killed = allowing('killed', 2);
  it('goes on counting at 1 of 2 after a kill -9 of the service and a new start', async () => {
    expect(await killed.statuses(1)).to.deep.equal([200]);
    await b.service().kill();
    await expectErrors(killed, 'strict', 'open');
    await b.service().start();
    await backAgain();
    expect(await killed.statuses(2)).to.deep.equal([200, 429]);
  });

  const stopped = allowing('stopped', 2);
  it("answers errors at the filter's timeout while the service stands still, and decides again when it goes on", async () => {
    const before = await timeouts();
    b.service().process().signal('SIGSTOP');
    try {
      await expectErrors(stopped, 'hasty', 'hastyOpen');
    } finally {
      b.service().process().signal('SIGCONT');
    }
    expect(await timeouts()).to.equal(before + 6);
    await backAgain();
    expect(await after.statuses(3)).to.deep.equal([200, 200, 429]);
  });
  const after = allowing('after-stopped', 2);

  const frozen = allowing('frozen', 100);
  it('answers errors while Redis stands still, counts no hit twice, and decides again when it goes on', async () => {
    expect(await frozen.statuses(1)).to.deep.equal([200]);
    b.redis().freeze();
    try {
      await expectErrors(frozen, 'hasty', 'hastyOpen');
    } finally {
      b.redis().thaw();
    }
    await backAgain();
    expect(await frozen.statuses(1)).to.deep.equal([200]);
    // Six calls were given up; Redis may have been told of them before.
    expect(await counter(frozen)).to.be.within(2, 8);
    expect(await thawed.statuses(3)).to.deep.equal([200, 200, 429]);
  });
  const thawed = allowing('thawed', 2);

  const waiting = allowing('waiting', 100);
  it('gives up on a Redis that stands still long before the filter gives up on it @weir', async () => {
    const before = await timeouts();
    b.redis().freeze();
    try {
      await expectErrors(waiting, 'strict', 'open');
    } finally {
      b.redis().thaw();
    }
    expect(await timeouts()).to.equal(before);
    await backAgain();
    expect(await relieved.statuses(3)).to.deep.equal([200, 200, 429]);
  });
  const relieved = allowing('relieved', 2);

  const lost = allowing('lost', 2);
  it('fails at once while Redis is gone, without one timeout, and is right again with a new Redis @weir', async () => {
    expect(await lost.statuses(3)).to.deep.equal([200, 200, 429]);
    const before = await timeouts();
    await b.redis().kill();
    await expectErrors(lost, 'strict', 'open');
    expect(await timeouts()).to.equal(before);
    await b.redis().restart();
    await backAgain();
    expect(await lost.statuses(3)).to.deep.equal([200, 200, 429]);
    expect(await counter(lost)).to.equal(3);
  });
});
