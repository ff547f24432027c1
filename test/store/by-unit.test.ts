import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { type Store, StoreError } from '../../src/core/ports.ts';
import { byUnit } from '../../src/store/by-unit.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';

const second = (key: string, of: Parameters<typeof hit>[1] = {}): Hit => {
  const made = hit(key, of);
  return { ...made, limit: { ...made.limit, unit: 'second' }, windowSeconds: 1, windowEndUs: NOW_US + 1_000_000 };
};

/** Tells in `order` which store was asked, and for how many hits. */
function asked(name: string, order: string[], inner: Store = memoryStore({ maxKeys: 100 })): Store {
  return {
    async take(...args) {
      order.push(`${name} ${args[0].length}`);
      const readings = await inner.take(...args);
      order.push(`${name} answered`);
      return readings;
    },
  };
}

const DOWN: Store = { take: () => Promise.reject(new StoreError('unavailable', 'down')) };

describe('a store by unit', () => {
  it('counts limits per second in their own store, all others in the main one, main first', async () => {
    const order: string[] = [];
    const store = byUnit({ main: asked('main', order), perSecond: asked('seconds', order) });
    const hits = [second('s', { cost: 2 }), hit('a'), second('t', { cost: 3 }), hit('b', { cost: 4 })];
    expect(used(await store.take(hits, 'always', NOW_US))).to.deep.equal([2, 1, 3, 4]);
    expect(order).to.deep.equal(['main 2', 'main answered', 'seconds 2', 'seconds answered']);
  });

  it('leaves a store alone that has no part in a request', async () => {
    const order: string[] = [];
    const store = byUnit({ main: asked('main', order), perSecond: asked('seconds', order) });
    await store.take([second('s')], 'always', NOW_US);
    await store.take([hit('a')], 'always', NOW_US);
    expect(order).to.deep.equal(['seconds 1', 'seconds answered', 'main 1', 'main answered']);
  });

  it('charges no seconds when the main store fails, and answers requests for seconds alone', async () => {
    const order: string[] = [];
    const store = byUnit({ main: DOWN, perSecond: asked('seconds', order) });
    const error = await store.take([hit('a'), second('s')], 'always', NOW_US).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(StoreError);
    expect(order).to.deep.equal([]);
    expect(used(await store.take([second('s')], 'always', NOW_US))).to.deep.equal([1]);
  });

  it('fails a request with seconds when their store is down, after the main one counted, as the Go service', async () => {
    const main = memoryStore({ maxKeys: 100 });
    const store = byUnit({ main, perSecond: DOWN });
    const error = await store.take([hit('a'), second('s')], 'always', NOW_US).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(StoreError);
    expect(used(await main.take([hit('a', { cost: 0 })], 'always', NOW_US))).to.deep.equal([1]);
  });

  it('charges neither store with only_if_admitted when one refuses', async () => {
    const main = memoryStore({ maxKeys: 100 });
    const store = byUnit({ main, perSecond: memoryStore({ maxKeys: 100 }) });
    await store.take([hit('a'), second('s', { limit: 0 })], 'only_if_admitted', NOW_US);
    expect(used(await main.take([hit('a', { cost: 0 })], 'always', NOW_US))).to.deep.equal([0]);
  });
});
