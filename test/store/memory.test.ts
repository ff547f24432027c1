import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Hit } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit, used } from '../contract/hit.ts';

const SECOND_US = 1_000_000;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Without garbage, which is there or not as V8 has found the time. */
function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('memory store', () => {
  it('keeps at most maxKeys counters', async () => {
    const store = memoryStore({ maxKeys: 3 });
    for (let i = 0; i < 10; i++) await store.take([hit(`k${i}`)], 'always', NOW_US);
    expect(store.size).to.equal(3);
  });

  it('forgets the least recently used of 3 when a 4th comes', async () => {
    const store = memoryStore({ maxKeys: 3 });
    const take = async (key: string, cost = 1) => used(await store.take([hit(key, { cost })], 'always', NOW_US))[0];
    await take('a');
    await take('b');
    await take('c');
    await take('a', 0);
    await take('d');
    expect([await take('a', 0), await take('b', 0), await take('c', 0), await take('d', 0)]).to.deep.equal([
      1, 0, 1, 1,
    ]);
  });

  it('forgets a counter whose window has ended before one that is in use less', async () => {
    const store = memoryStore({ maxKeys: 2 });
    const brief = { ...hit('brief'), windowEndUs: NOW_US + SECOND_US };
    await store.take([hit('old')], 'always', NOW_US);
    await store.take([brief], 'always', NOW_US);
    await store.take([hit('new')], 'always', NOW_US + SECOND_US);
    expect(used(await store.take([hit('old', { cost: 0 })], 'always', NOW_US + SECOND_US))).to.deep.equal([1]);
  });

  it('counts from 0 at the microsecond its window ends, and not one before', async () => {
    const store = memoryStore();
    await store.take([hit('a', { cost: 4 })], 'always', NOW_US);
    const look = hit('a', { cost: 0 });
    expect(used(await store.take([look], 'always', NOW_US + HOUR_US - 1))).to.deep.equal([4]);
    expect(used(await store.take([look], 'always', NOW_US + HOUR_US))).to.deep.equal([0]);
  });

  it('gives back 1,000 ended counters within 40 calls that look elsewhere', async () => {
    const store = memoryStore();
    for (let i = 0; i < 1_000; i++) await store.take([hit(`k${i}`)], 'always', NOW_US);
    for (let i = 0; i < 40; i++) await store.take([hit('other', { cost: 0 })], 'always', NOW_US + HOUR_US);
    expect(store.size).to.equal(0);
  });

  it('keeps a count to the later of two ends when a minute and an hour share a key', async () => {
    const store = memoryStore();
    const minute = { ...hit('a'), windowEndUs: NOW_US + 60 * SECOND_US };
    await store.take([minute], 'always', NOW_US);
    await store.take([hit('a')], 'always', NOW_US);
    expect(used(await store.take([hit('a')], 'always', NOW_US + 60 * SECOND_US))).to.deep.equal([3]);
  });

  it('counts keys of 1 MB apart to their last character, halves of surrogate pairs too', async () => {
    const store = memoryStore();
    const long = 'k'.repeat(1_000_000);
    const take = async (key: string) => used(await store.take([hit(key)], 'always', NOW_US))[0];
    expect([await take(`${long}a`), await take(`${long}b`), await take(`${long}a`)]).to.deep.equal([1, 1, 2]);
    expect([await take(`${long}\udc80`), await take(`${long}\udc81`)]).to.deep.equal([1, 1]);
  });

  it('holds 300 counters whose keys have 1 MB in less than 100 MB', async () => {
    const store = memoryStore();
    const before = heapUsed();
    for (let i = 0; i < 300; i++) await store.take([hit(`${i}`.padEnd(1_000_000, 'x'))], 'always', NOW_US);
    expect(heapUsed() - before).to.be.lessThan(100_000_000);
    expect(store.size).to.equal(300);
  });

  it('refuses maxKeys of 0, 1.5 and 17 million', () => {
    for (const maxKeys of [0, 1.5, 17_000_000, Number.NaN]) {
      expect(() => memoryStore({ maxKeys }), String(maxKeys)).to.throw(RangeError, /maxKeys/);
    }
  });

  it('forgets just what a list kept by hand forgets, on 500 random sequences', async () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      cost: fc.integer({ min: -2, max: 3 }),
      window: fc.constantFrom(1, 2, 5),
      passes: fc.integer({ min: 0, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), async (steps, maxKeys) => {
        const store = memoryStore({ maxKeys });
        const model = new NaiveCounters(maxKeys);
        let nowUs = NOW_US;
        for (const { key, cost, window, passes } of steps) {
          nowUs += passes * SECOND_US;
          const start = Math.floor(nowUs / (window * SECOND_US)) * window * SECOND_US;
          const one = { ...hit(`${key}_${window}_${start}`, { cost }), windowEndUs: start + window * SECOND_US };
          const [reading] = used(await store.take([one], 'always', nowUs));
          expect(reading).to.equal(model.take(one.key, cost, one.windowEndUs, nowUs));
          expect(store.size).to.be.at.most(maxKeys);
        }
      }),
      { numRuns: 500 },
    );
  });

  /** A bucket of 10 that regains one hit a minute. */
  function perMinute(key: string): Hit {
    const algorithm = 'token_bucket';
    return { ...bucketHit(key), limit: limit({ requestsPerUnit: 1, unit: 'minute', algorithm, burst: 10 }) };
  }

  it('forgets 100 buckets that are full again, and none a moment before', async () => {
    const store = memoryStore({ maxKeys: 1_000 });
    for (let i = 0; i < 100; i++) await store.take([perMinute(`b${i}`)], 'always', NOW_US + i * 10_000);
    expect(store.size).to.equal(100);
    await store.take([{ ...perMinute('b0'), cost: 0 }], 'always', NOW_US + 60 * SECOND_US - 1);
    expect(store.size).to.equal(100);
    // An eighth of the 10 minutes that the whole bucket takes, and a few calls that each give back some.
    for (let i = 0; i < 4; i++) await store.take([hit('x')], 'always', NOW_US + (60 + 75 + 1) * SECOND_US);
    expect(store.size).to.equal(1);
  });

  it('forgets a bucket whose limit was lowered to 0 as it would any other', async () => {
    const store = memoryStore({ maxKeys: 10 });
    await store.take([{ ...perMinute('b'), cost: 10 }], 'always', NOW_US);
    const none = limit({ requestsPerUnit: 0, unit: 'minute', algorithm: 'token_bucket' });
    const [reading] = await store.take([{ ...perMinute('b'), limit: none }], 'always', NOW_US);
    expect(reading).to.include({ used: 0, charged: false, over: true });
    await store.take([hit('x')], 'always', NOW_US + 20 * 60 * SECOND_US);
    expect(store.size).to.equal(1);
  });

  for (const charge of ['always', 'stop_when_over', 'only_if_admitted'] as const) {
    it(`admits when it promised to, after the rate was raised from 1 an hour to 60: ${charge}`, async () => {
      const store = memoryStore({ maxKeys: 10 });
      const per = (requestsPerUnit: number): readonly Hit[] => [
        { ...perMinute('b'), limit: limit({ requestsPerUnit, unit: 'hour', algorithm: 'leaky_bucket' }) },
        hit('f'),
      ];
      await store.take(per(1), charge, NOW_US);
      const [refused] = await store.take(per(60), charge, NOW_US + 1);
      expect(refused).to.include({ charged: false, over: true, resetAfterUs: 60 * SECOND_US });
      const [early] = await store.take(per(60), charge, NOW_US + 60 * SECOND_US);
      expect(early).to.include({ over: true, resetAfterUs: 1 });
      const [later] = await store.take(per(60), charge, NOW_US + 60 * SECOND_US + 1);
      expect(later).to.include({ charged: true, used: 1 });
    });
  }

  it('keeps a bucket for as long as hits move it on', async () => {
    const store = memoryStore();
    for (let minute = 0; minute < 30; minute++) {
      const [reading] = await store.take([perMinute('b')], 'always', NOW_US + minute * 50 * SECOND_US);
      expect(reading).to.include({ kind: 'counted', charged: true });
    }
    const lastUs = NOW_US + 29 * 50 * SECOND_US;
    const [reading] = await store.take([{ ...perMinute('b'), cost: 0 }], 'always', lastUs);
    // 30 minutes were taken in 24 and a sixth.
    expect(reading).to.include({ used: 6, resetAfterUs: (30 * 60 - 29 * 50) * SECOND_US });
  });

  it('keeps a sliding counter until the next window ends', async () => {
    const store = memoryStore();
    const at = (us: number) => slidingHit('s', { cost: 0, atUs: us });
    await store.take([slidingHit('s', { cost: 8 })], 'always', NOW_US);
    const late = NOW_US + 2 * HOUR_US - SECOND_US;
    expect(used(await store.take([at(late)], 'always', late))).to.deep.equal([1]);
    const over = NOW_US + 2 * HOUR_US;
    expect(used(await store.take([at(over)], 'always', over))).to.deep.equal([0]);
    expect(store.size).to.equal(0);
  });
});

/** Newest last. Ended ones count as gone from the moment they end, whoever is asked. */
class NaiveCounters {
  readonly #maxKeys: number;
  #list: { key: string; used: number; endUs: number }[] = [];
  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }
  take(key: string, cost: number, endUs: number, nowUs: number): number {
    this.#list = this.#list.filter((c) => c.endUs > nowUs);
    const found = this.#list.find((c) => c.key === key);
    if (found === undefined && cost <= 0) return 0;
    const used = Math.max(0, (found?.used ?? 0) + cost);
    this.#list = [...this.#list.filter((c) => c.key !== key), { key, used, endUs }].slice(-this.#maxKeys);
    return used;
  }
}
