import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { overLimitCache } from '../../src/store/over-limit-cache.ts';
import { HOUR_US, hit, NOW_US, used } from '../contract/hit.ts';

const CACHED = 'over_limit_cache';

/** A memory store that tells what it was asked: the key and the cost of each hit. */
function watched() {
  const inner = memoryStore();
  const asked: string[] = [];
  const store: Store = {
    take(hits, charge, nowUs) {
      for (const { key, cost } of hits) asked.push(`${key}:${cost}`);
      return inner.take(hits, charge, nowUs);
    },
  };
  return { store, asked };
}

function setUp(maxBytes = 0) {
  const { store, asked } = watched();
  const cache = overLimitCache(store, { maxBytes });
  const take = async (hits: readonly Hit[], charge: Charge = 'always', nowUs = NOW_US) =>
    used(await cache.take(hits, charge, nowUs));
  return { cache, asked, take };
}

describe('over-limit cache', () => {
  it('asks the store twice of 4 calls on a limit of 1', async () => {
    const { cache, asked, take } = setUp();
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(...(await take([hit('k', { limit: 1 })])));
    expect(answers).to.deep.equal([1, 2, CACHED, CACHED]);
    expect(asked).to.have.lengthOf(2);
    expect(cache.stats).to.include({ entryCount: 1, lookupCount: 4, hitCount: 2, missCount: 2, overwriteCount: 0 });
  });

  it('answers a look and a bigger hit alike', async () => {
    const { take } = setUp();
    await take([hit('k', { cost: 3, limit: 2 })]);
    expect(await take([hit('k', { cost: 0, limit: 2 })])).to.deep.equal([CACHED]);
    expect(await take([hit('k', { cost: 5, limit: 2 })])).to.deep.equal([CACHED]);
  });

  it('asks for the siblings of a known key, in their places', async () => {
    const { asked, take } = setUp();
    await take([hit('k', { cost: 3, limit: 2 })]);
    expect(await take([hit('a'), hit('k', { limit: 2 }), hit('b', { cost: 4 })])).to.deep.equal([1, CACHED, 4]);
    expect(asked.slice(1)).to.deep.equal(['a:1', 'b:4']);
  });

  it('remembers a shadow rule', async () => {
    const { take } = setUp();
    await take([hit('k', { cost: 3, limit: 2, shadow: true })]);
    expect(await take([hit('k', { cost: 4, limit: 2, shadow: true })])).to.deep.equal([CACHED]);
  });

  it('asks again for another limit, and then knows the key by that one', async () => {
    const { cache, take } = setUp();
    await take([hit('k', { cost: 3, limit: 2 })]);
    expect(await take([hit('k', { limit: 100 })])).to.deep.equal([4]);
    expect(await take([hit('k', { limit: 3 })])).to.deep.equal([5]);
    expect(await take([hit('k', { limit: 3 })])).to.deep.equal([CACHED]);
    expect(cache.stats).to.include({ entryCount: 1, overwriteCount: 1 });
  });

  it('asks again from the microsecond the window ends', async () => {
    const { cache, take } = setUp();
    await take([hit('k', { cost: 3, limit: 2 })]);
    expect(await take([hit('k', { limit: 2 })], 'always', NOW_US + HOUR_US - 1)).to.deep.equal([CACHED]);
    expect(await take([hit('k', { limit: 2 })], 'always', NOW_US + HOUR_US)).to.deep.equal([1]);
    expect(cache.stats).to.include({ entryCount: 0, expiredCount: 1 });
  });

  it('forgets a key that is refunded', async () => {
    const { cache, take } = setUp();
    await take([hit('k', { cost: 3, limit: 2 })]);
    expect(await take([hit('k', { cost: -2, limit: 2 })])).to.deep.equal([1]);
    expect(await take([hit('k', { limit: 2 })])).to.deep.equal([2]);
    expect(cache.stats.entryCount).to.equal(0);
  });

  it('forgets it also when an older charge is answered while the refund is on its way', async () => {
    const answers: (() => void)[] = [];
    const inner = memoryStore();
    const slow: Store = {
      take: async (...args) => {
        const reading = inner.take(...args);
        await new Promise<void>((resolve) => answers.push(resolve));
        return reading;
      },
    };
    const cache = overLimitCache(slow, { maxBytes: 0 });
    const charge = cache.take([hit('k', { cost: 3, limit: 2 })], 'always', NOW_US);
    const refund = cache.take([hit('k', { cost: -3, limit: 2 })], 'always', NOW_US);
    for (const answer of answers) answer();
    await Promise.all([charge, refund]);
    expect(cache.stats.entryCount).to.equal(0);
  });

  describe('with stop_when_over', () => {
    it('only looks at the siblings of a known key', async () => {
      const { asked, take } = setUp();
      const both = [hit('a', { limit: 1 }), hit('b', { limit: 5 })];
      expect(await take(both, 'stop_when_over')).to.deep.equal([1, 1]);
      expect(await take(both, 'stop_when_over')).to.deep.equal([2, 1]);
      expect(await take(both, 'stop_when_over')).to.deep.equal([CACHED, 1]);
      expect(asked.slice(4)).to.deep.equal(['b:0']);
      expect(await take([hit('b', { limit: 5 })], 'stop_when_over')).to.deep.equal([2]);
    });

    it('charges the siblings of a known shadow rule', async () => {
      const { take } = setUp();
      const both = [hit('g', { limit: 1, cost: 2, shadow: true }), hit('r', { limit: 5 })];
      expect(await take(both, 'stop_when_over')).to.deep.equal([2, 1]);
      expect(await take(both, 'stop_when_over')).to.deep.equal([CACHED, 2]);
    });
  });

  it('never holds more than its bytes: of 10,000 keys in 512 KiB the last ones stay', async () => {
    const { cache, take } = setUp(1);
    for (let i = 0; i < 10_000; i++) await take([hit(`key_${i}`, { cost: 3, limit: 2 })]);
    const { entryCount, evacuateCount } = cache.stats;
    expect(entryCount + evacuateCount).to.equal(10_000);
    expect(entryCount * 128).to.be.below(512 * 1024);
    expect(await take([hit('key_9999', { limit: 2 })])).to.deep.equal([CACHED]);
    expect(await take([hit('key_0', { limit: 2 })])).to.deep.equal([4]);
  });

  it('does not keep a key that is bigger than itself', async () => {
    const { cache, take } = setUp();
    await take([hit('x'.repeat(512 * 1024), { cost: 3, limit: 2 })]);
    expect(cache.stats.entryCount).to.equal(0);
  });

  it('passes an error of the store on and remembers nothing', async () => {
    const failing: Store = { take: () => Promise.reject(new Error('gone')) };
    const cache = overLimitCache(failing, { maxBytes: 0 });
    const outcome = await cache.take([hit('k', { cost: 99 })], 'always', NOW_US).catch((e: Error) => e.message);
    expect(outcome).to.equal('gone');
    expect(cache.stats.entryCount).to.equal(0);
  });
});
