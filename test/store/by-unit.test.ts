import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { type Store, StoreError } from '../../src/core/ports.ts';
import { byUnit } from '../../src/store/by-unit.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';

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
  it('counts limits per second in their own store, all others in the main one', async () => {
    const order: string[] = [];
    const store = byUnit({ main: asked('main', order), perSecond: asked('seconds', order) });
    const hits = [second('s', { cost: 2 }), hit('a'), second('t', { cost: 3 }), hit('b', { cost: 4 })];
    expect(used(await store.take(hits, 'always', NOW_US))).to.deep.equal([2, 1, 3, 4]);
    expect(order).to.have.members(['main 2', 'main answered', 'seconds 2', 'seconds answered']);
  });

  it('leaves a store alone that has no part in a request', async () => {
    const order: string[] = [];
    const store = byUnit({ main: asked('main', order), perSecond: asked('seconds', order) });
    await store.take([second('s')], 'always', NOW_US);
    await store.take([hit('a')], 'always', NOW_US);
    expect(order).to.deep.equal(['seconds 1', 'seconds answered', 'main 1', 'main answered']);
  });

  it('bills no sibling when one of the two is down, and answers requests that do without it', async () => {
    for (const down of ['main', 'perSecond'] as const) {
      const up = memoryStore({ maxKeys: 100 });
      const store = byUnit({ main: up, perSecond: up, [down]: DOWN });
      const error = await store.take([hit('a'), second('s')], 'always', NOW_US).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(StoreError);
      const own = down === 'main' ? second('s') : hit('a');
      await eventually('the charge to be given back', async () => {
        return used(await up.take([{ ...own, cost: 0 }], 'always', NOW_US))[0] === 0;
      });
      expect(used(await store.take([own], 'always', NOW_US))).to.deep.equal([1]);
    }
  });

  it('charges neither store with only_if_admitted when one refuses', async () => {
    const main = memoryStore({ maxKeys: 100 });
    const store = byUnit({ main, perSecond: memoryStore({ maxKeys: 100 }) });
    await store.take([hit('a'), second('s', { limit: 0 })], 'only_if_admitted', NOW_US);
    expect(used(await main.take([hit('a', { cost: 0 })], 'always', NOW_US))).to.deep.equal([0]);
  });
});
