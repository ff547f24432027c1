import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import { limit } from '../../src/core/limit.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { type OverLimitCacheOptions, overLimitCache } from '../../src/store/over-limit-cache.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit, used } from '../contract/hit.ts';

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

const HOUR_MS = HOUR_US / 1_000;

function setUp(options: OverLimitCacheOptions = { maxBytes: 0, maxAgeMs: HOUR_MS }) {
  const { store, asked } = watched();
  const cache = overLimitCache(store, options);
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

  describe('after the age of 1 s that is its default', () => {
    const second = 1_000_000;
    const spent = [hit('k', { cost: 3, limit: 2 })];
    const one = [hit('k', { limit: 2 })];

    it('asks again, and not a microsecond before', async () => {
      const { cache, take } = setUp({ maxBytes: 0 });
      await take(spent);
      expect(await take(one, 'always', NOW_US + second - 1)).to.deep.equal([CACHED]);
      expect(await take(one, 'always', NOW_US + second)).to.deep.equal([4]);
      expect(await take(one, 'always', NOW_US + second + 1)).to.deep.equal([CACHED]);
      expect(cache.stats).to.include({ expiredCount: 1 });
    });

    it('admits what another process refunded', async () => {
      const shared = memoryStore();
      const [here, there] = [overLimitCache(shared, { maxBytes: 0 }), overLimitCache(shared, { maxBytes: 0 })];
      await here.take(spent, 'always', NOW_US);
      await there.take([hit('k', { cost: -3, limit: 2 })], 'always', NOW_US);
      expect(used(await here.take(one, 'always', NOW_US + second - 1))).to.deep.equal([CACHED]);
      expect(used(await here.take(one, 'always', NOW_US + second))).to.deep.equal([1]);
    });

    it('asks again when the clock was set back by as much', async () => {
      const { take } = setUp({ maxBytes: 0 });
      await take(spent);
      expect(await take(one, 'always', NOW_US - second)).to.deep.equal([4]);
    });
  });

  describe('with only_if_admitted', () => {
    const both = [hit('a', { limit: 1 }), hit('b', { limit: 5 })];

    it('remembers a counter at its limit for hits, not for looks', async () => {
      const { asked, take } = setUp();
      await take([hit('k', { cost: 2, limit: 2 })], 'only_if_admitted');
      expect(await take([hit('k', { limit: 2 })], 'only_if_admitted')).to.deep.equal([2]);
      expect(await take([hit('k', { limit: 2 })], 'only_if_admitted')).to.deep.equal([CACHED]);
      expect(await take([hit('k', { limit: 2, cost: 0 })], 'only_if_admitted')).to.deep.equal([2]);
      expect(asked).to.have.lengthOf(3);
    });

    it('remembers that 5 do not fit at 8 of 10, and asks for 2', async () => {
      const { asked, take } = setUp();
      await take([hit('k', { cost: 8 })], 'only_if_admitted');
      expect(await take([hit('k', { cost: 5 })], 'only_if_admitted')).to.deep.equal([8]);
      expect(await take([hit('k', { cost: 5 })], 'only_if_admitted')).to.deep.equal([CACHED]);
      expect(await take([hit('k', { cost: 2 })], 'only_if_admitted')).to.deep.equal([10]);
      expect(asked).to.deep.equal(['k:8', 'k:5', 'k:2']);
    });

    it('charges no sibling of a known key, and tells which of them would go over', async () => {
      const { cache, take } = setUp();
      await take(both, 'only_if_admitted');
      await take(both, 'only_if_admitted');
      const big = [both[0] as Hit, hit('b', { limit: 5, cost: 5 }), hit('c', { limit: 5, cost: 5 })];
      const readings = await cache.take(big, 'only_if_admitted', NOW_US);
      expect(used(readings)).to.deep.equal([CACHED, 1, 0]);
      expect(readings.map((reading, i) => tellsOver(reading, big[i] as Hit))).to.deep.equal([true, true, false]);
      expect(readings.slice(1).map((reading) => reading.kind === 'counted' && reading.charged)).to.deep.equal([
        false,
        false,
      ]);
      expect(await take([hit('b', { limit: 5, cost: 4 })], 'only_if_admitted')).to.deep.equal([5]);
    });

    it('gives a refund back beside a known key', async () => {
      const { take } = setUp();
      await take([hit('a', { limit: 1 }), hit('b', { cost: 4 })], 'only_if_admitted');
      await take([hit('a', { limit: 1 })], 'only_if_admitted');
      expect(await take([hit('a', { limit: 1 }), hit('b', { cost: -3 })], 'only_if_admitted')).to.deep.equal([
        CACHED,
        1,
      ]);
    });

    it('charges the quota that is not over beside one that is known to be', async () => {
      const { take } = setUp();
      const quota = (key: string, limit: number) => hit(key, { limit, refuses: 'together', of: key === 'p' ? 0 : 1 });
      await take([quota('p', 0), quota('q', 3)], 'only_if_admitted');
      expect(await take([quota('p', 0), quota('q', 3)], 'only_if_admitted')).to.deep.equal([CACHED, 2]);
      expect(await take([quota('p', 0), quota('q', 3)], 'only_if_admitted')).to.deep.equal([CACHED, 3]);
      expect(await take([quota('p', 0), quota('q', 3)], 'only_if_admitted')).to.deep.equal([CACHED, 3]);
      expect(await take([quota('p', 0), quota('q', 3)], 'only_if_admitted')).to.deep.equal([CACHED, CACHED]);
    });
  });

  it('of 3 keys in 2 entries keeps the last 2', async () => {
    const { cache, take } = setUp({ maxEntries: 2 });
    for (const key of ['a', 'b', 'c']) await take([hit(key, { cost: 3, limit: 2 })]);
    expect(cache.stats).to.include({ entryCount: 2, evacuateCount: 1 });
    expect(await take([hit('a', { limit: 2 }), hit('c', { limit: 2 })])).to.deep.equal([4, CACHED]);
  });

  it('never holds more than its bytes: of 10,000 keys in 512 KiB the last ones stay', async () => {
    const { cache, take } = setUp({ maxBytes: 1 });
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

describe('over-limit cache before algorithms that fall while time passes', () => {
  /** 10 used in the hour before: from here on one more fits every 6 minutes. */
  async function full(cost: number, limit = 10) {
    const { cache, asked, take } = setUp();
    await take([slidingHit('s', { cost: 10 })]);
    const startUs = NOW_US + HOUR_US;
    const one = (atUs: number, options = {}) => slidingHit('s', { cost, limit, atUs, ...options });
    const readings = async (atUs: number, options = {}) => cache.take([one(atUs, options)], 'always', atUs);
    const refused = (await readings(startUs))[0];
    return { asked, startUs, readings, refused, take };
  }

  it('answers until the time that was promised, and not at it', async () => {
    const { startUs, readings, refused } = await full(1);
    expect(refused).to.include({ kind: 'counted', charged: false, over: true, resetAfterUs: HOUR_US / 10 });
    const [known] = await readings(startUs + HOUR_US / 10 - 1);
    expect(known).to.deep.equal({ kind: 'assumed', outcome: 'over_limit', because: CACHED, resetAfterUs: 1 });
    expect((await readings(startUs + HOUR_US / 10))[0]).to.include({ used: 10, charged: true });
  });

  it('answers what costs more, and asks for what costs less', async () => {
    const { asked, startUs, readings } = await full(3);
    const before = asked.length;
    expect((await readings(startUs + 1, { cost: 4 }))[0]?.kind).to.equal('assumed');
    expect(asked.length).to.equal(before);
    expect((await readings(startUs + 1, { cost: 2 }))[0]?.kind).to.equal('counted');
    expect((await readings(startUs + 1, { cost: 0 }))[0]?.kind).to.equal('counted');
  });

  it('asks when the limit was raised, when a hit gave back, and for a bucket of another rate', async () => {
    const { startUs, readings } = await full(1);
    expect((await readings(startUs, { limit: 11 }))[0]).to.include({ used: 11, charged: true });
    await readings(startUs);
    await readings(startUs, { cost: -1 });
    expect((await readings(startUs))[0]?.kind).to.equal('counted');

    const { cache } = setUp();
    const per = (requestsPerUnit: number): Hit => ({
      ...bucketHit('b', { limit: 1 }),
      limit: limit({ requestsPerUnit, unit: 'hour', algorithm: 'leaky_bucket' }),
    });
    await cache.take([per(1)], 'always', NOW_US);
    await cache.take([per(1)], 'always', NOW_US);
    expect((await cache.take([per(1)], 'always', NOW_US + 1))[0]?.kind).to.equal('assumed');
    const [raised] = await cache.take([per(60)], 'always', NOW_US + 1);
    expect(raised).to.include({ kind: 'counted', over: true, resetAfterUs: HOUR_US / 60 });
    const promised = NOW_US + 1 + HOUR_US / 60;
    expect((await cache.take([per(60)], 'always', promised))[0]).to.include({ charged: true, used: 1 });
  });

  it('does not remember a hit that goes over only beside its copy', async () => {
    const { cache, take } = setUp();
    const one = slidingHit('s', { limit: 1 });
    await cache.take([one, one], 'only_if_admitted', NOW_US);
    expect(await take([one])).to.deep.equal([1]);
  });

  it('does not remember the sibling of a known hit, as nobody was asked when it would fit', async () => {
    const { asked, take } = setUp();
    await take([hit('k', { cost: 11 }), bucketHit('b', { cost: 10 })]);
    const siblings = [hit('k'), bucketHit('b')];
    expect(await take(siblings, 'only_if_admitted')).to.deep.equal([CACHED, 10]);
    expect(await take(siblings, 'only_if_admitted')).to.deep.equal([CACHED, 10]);
    expect(asked.slice(2)).to.deep.equal(['{b}:0', '{b}:0']);
  });
});
