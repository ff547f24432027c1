import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import type { Rules } from '../support/service.ts';
import { bed, perWindow, tally } from './bed.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const SWAPS = 50;
const LOOPS = 8;

describe('rules in a ConfigMap', () => {
  const b = bed({ store: 'redis', configMap: true });
  const traffic = b.route('traffic', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(1_000_000) }],
  });
  const canary = b.route('canary', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(1_000_000) }],
  });
  const withCanary = (requests: number): Rules => ({
    ...b.rules(),
    'canary.yaml': {
      domain: 'canary',
      descriptors: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(requests) }],
    },
  });
  const errors = async () => {
    const page = await (await fetch(`http://127.0.0.1:${b.service().metricsPort}/metrics`)).text();
    return Number(/^ratelimit_service_config_load_error (\d+)/m.exec(page)?.[1] ?? 0);
  };

  it('swaps 50 times and fails no request of the traffic meanwhile; the last set is the one that counts', async () => {
    let over = false;
    const statuses: number[] = [];
    const loops = Array.from({ length: LOOPS }, async () => {
      while (!over) statuses.push((await traffic.get()).status);
    });
    for (let i = 1; i < SWAPS; i++) {
      await b.service().swap(withCanary(1_000_000 + i));
      const seen = statuses.length;
      // Between two swaps every loop has had at least one answer.
      await eventually('traffic', () => statuses.length >= seen + LOOPS);
    }
    await b.service().swap(withCanary(0));
    await eventually('the canary to be refused', async () => (await canary.get()).status === 429).finally(() => {
      over = true;
    });
    await Promise.all(loops);
    await b.service().swap(withCanary(1_000_000));
    await eventually('the canary to pass again', async () => (await canary.get()).status === 200);
    expect(tally(statuses)).to.deep.equal({ 200: statuses.length });
    expect(statuses.length).to.be.greaterThan(SWAPS * LOOPS);
  });

  it('never takes half of one set and half of the next for a set @weir', async () => {
    const before = await errors();
    for (let i = 0; i < SWAPS; i++) {
      const { 'canary.yaml': one, 'traffic.yaml': other, ...rest } = withCanary(i === SWAPS - 1 ? 0 : 1_000_000);
      // Two halves would be two files of one domain, which is refused and counted.
      const crossed = { 'canary.yaml': other!, 'traffic.yaml': one! };
      await b.service().swap({ ...rest, ...(i % 2 === 0 ? crossed : { 'canary.yaml': one!, 'traffic.yaml': other! }) });
      await traffic.get();
    }
    await eventually('the canary to be refused', async () => (await canary.get()).status === 429);
    expect(await errors()).to.equal(before);
  });

  it('keeps the last good set when a broken one comes, and takes the next good one', async () => {
    await b.service().swap(withCanary(0));
    await eventually('the canary to be refused', async () => (await canary.get()).status === 429);
    const before = await errors();
    // Read in name order, so that nobody sees the new canary without the broken file behind it.
    await b.service().swap({ ...withCanary(5), 'traffic.yaml': 'domain: traffic\ndescriptors: [{ky: nothing}]\n' });
    await eventually('the broken set to be counted', async () => (await errors()) > before);
    expect(await canary.statuses(2)).to.deep.equal([429, 429]);
    expect(await traffic.statuses(2)).to.deep.equal([200, 200]);
    await b.service().swap(withCanary(1_000_000));
    await eventually('the canary to pass again', async () => (await canary.get()).status === 200);
  });
});
