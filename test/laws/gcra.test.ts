import { expect } from 'chai';
import fc from 'fast-check';
import { type Bucket, type BucketState, bucketOf, FULL, gcra, MOST_BUCKET_US } from '../../src/core/algorithm/gcra.ts';
import { LAW_RUNS } from './runs.ts';
import { NOON_US } from './world.ts';

const RUNS = { numRuns: LAW_RUNS };
const PARTS = 2n ** 20n;
const SECOND_US = 1_000_000;
/** Clocks may go back by so much without a bucket taking it for a limit that was lowered. */
const CLOCK_STEP = 5_000_000n * PARTS;

/** In parts of a microsecond, and without bounds. */
const exact = (us: number, parts: number): bigint => BigInt(us) * PARTS + BigInt(parts);
const intervalOf = ({ intervalUs, intervalParts }: Bucket): bigint => exact(intervalUs, intervalParts);
const ceil = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

const rate = fc.record({
  requests: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(300_000, 999_983, 2 ** 32 - 1)),
  periodUs: fc.constantFrom(1, 60, 300, 3_600, 86_400, 31_536_000).map((seconds) => seconds * SECOND_US),
});
const bucket = fc
  .tuple(rate, fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 2 ** 32 - 1 })))
  .map(([{ requests, periodUs }, burst]) =>
    // The rules refuse a bucket that takes longer to fill than its times can tell.
    bucketOf(
      requests,
      periodUs,
      Math.max(1, Math.min(burst, Math.floor(((MOST_BUCKET_US - 1) * requests) / (periodUs + requests)))),
    ),
  );
/** A bucket whose TAT is somewhere about now, and times around 2^50 us. */
const standing = bucket.chain((it) => {
  const fullUs = Math.ceil(it.burst * (it.intervalUs + it.intervalParts / 2 ** 20));
  return fc.record({
    bucket: fc.constant(it),
    nowUs: fc.oneof(fc.constant(NOON_US), fc.integer({ min: 2 ** 50 - 1_000, max: 2 ** 50 + 1_000 })),
    aheadUs: fc.oneof(
      fc.integer({ min: -10, max: 10 }),
      fc.integer({ min: 0, max: fullUs }),
      fc.integer({ min: fullUs, max: fullUs + 6 * SECOND_US }),
      fc.integer({ min: fullUs, max: 2 * fullUs + 6 * SECOND_US }),
    ),
    tatParts: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
    cost: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: it.burst }), fc.constant(it.burst + 1)),
  });
});
type Standing = typeof standing extends fc.Arbitrary<infer S> ? S : never;
const stateOf = ({ nowUs, aheadUs, tatParts }: Standing): BucketState => ({ tatUs: nowUs + aheadUs, tatParts });

function law(title: string, check: (at: Standing) => void): void {
  it(title, () => {
    fc.assert(fc.property(standing, check), RUNS);
  });
}

/** Calls some time after one another; in parts of the bucket's interval, so that some fit and some don't. */
const calls = fc.array(fc.record({ waits: fc.double({ min: 0, max: 3, noNaN: true }), cost: fc.nat(4) }), {
  maxLength: 40,
});

describe('law of the bucket', function () {
  this.timeout(120_000);

  it('an interval times its rate is the period, and less than a millionth of a microsecond a hit more', () => {
    fc.assert(
      fc.property(rate, ({ requests, periodUs }) => {
        const { intervalUs, intervalParts } = bucketOf(requests, periodUs, 1);
        const over = exact(intervalUs, intervalParts) * BigInt(requests) - BigInt(periodUs) * PARTS;
        expect(over >= 0n && over < BigInt(requests)).to.equal(true);
        expect(intervalParts).to.be.within(0, 2 ** 20 - 1);
      }),
      RUNS,
    );
  });

  law('tells over, used, state and times as numbers without bounds do', (at) => {
    const { bucket: b, nowUs, cost } = at;
    const interval = intervalOf(b);
    const full = BigInt(b.burst) * interval;
    const now = exact(nowUs, 0);
    const ahead = exact(stateOf(at).tatUs, at.tatParts) - now;
    const fits = cost <= b.burst;
    const raw = ahead < 0n ? 0n : ahead;
    const before = raw > full + CLOCK_STEP ? full : raw;
    const after = before + BigInt(cost) * interval;
    const over = after > full;
    const then = over ? before : after;
    const found = gcra(stateOf(at), cost, b, nowUs);
    expect(found.over).to.equal(over);
    expect(exact(found.state.tatUs, found.state.tatParts) - now).to.equal(then);
    expect(BigInt(found.used)).to.equal(ceil(then > full ? full : then, interval));
    expect(BigInt(found.resetAfterUs)).to.equal(ceil(over && fits ? after - full : then, PARTS));
  });

  law('is refused 1 us before its promised time and admitted at it', (at) => {
    const { bucket: b, nowUs, cost } = at;
    const { over, state, resetAfterUs } = gcra(stateOf(at), cost, b, nowUs);
    if (!over || cost > b.burst) return;
    expect(gcra(state, cost, b, nowUs + resetAfterUs - 1).over).to.equal(true);
    expect(gcra(state, cost, b, nowUs + resetAfterUs).over).to.equal(false);
  });

  law('is full at the time it is told to be, and not 1 us before', (at) => {
    const { bucket: b, nowUs, cost } = at;
    const { over, state, resetAfterUs } = gcra(stateOf(at), cost, b, nowUs);
    if (over && cost <= b.burst) return;
    expect(gcra(state, 0, b, nowUs + resetAfterUs).used).to.equal(0);
    if (resetAfterUs > 0) expect(gcra(state, 0, b, nowUs + resetAfterUs - 1).used).to.be.at.least(1);
  });

  law('n hits of 1 that are admitted leave what one hit of n leaves', (at) => {
    const { bucket: b, nowUs } = at;
    const n = Math.min(at.cost, 20);
    const whole = gcra(stateOf(at), n, b, nowUs);
    let state = stateOf(at);
    let refused = false;
    for (let i = 0; i < n; i++) {
      const one = gcra(state, 1, b, nowUs);
      refused ||= one.over;
      state = one.state;
    }
    expect(refused).to.equal(whole.over);
    if (!refused) expect(state).to.deep.equal(whole.state);
  });

  law('a look is never over and changes no later answer', (at) => {
    const { bucket: b, nowUs, cost } = at;
    const look = gcra(stateOf(at), 0, b, nowUs);
    expect(look.over).to.equal(false);
    const { state: _, ...plain } = gcra(stateOf(at), cost, b, nowUs);
    expect(gcra(look.state, cost, b, nowUs)).to.deep.include(plain);
  });

  law('a refund then the same charge changes nothing, and none goes past full', (at) => {
    const { bucket: b, nowUs } = at;
    const cost = Math.min(at.cost, b.burst);
    const look = gcra(stateOf(at), 0, b, nowUs);
    const back = gcra(stateOf(at), -cost, b, nowUs);
    expect(back.used).to.equal(Math.max(0, look.used - cost));
    const covered = exact(look.state.tatUs, look.state.tatParts) - exact(nowUs, 0) >= BigInt(cost) * intervalOf(b);
    const full = gcra(FULL, b.burst, b, nowUs).state;
    const most = exact(look.state.tatUs, look.state.tatParts) > exact(full.tatUs, full.tatParts) ? full : look.state;
    if (covered) expect(gcra(back.state, cost, b, nowUs).state).to.deep.equal(most);
    expect(gcra(stateOf(at), -(b.burst + at.cost), b, nowUs)).to.include({ used: 0, resetAfterUs: 0 });
  });

  law('used only falls while time passes, and what fits goes on fitting', (at) => {
    const { bucket: b, nowUs, cost } = at;
    for (const later of [1, 1_000, SECOND_US, 3_600 * SECOND_US]) {
      expect(gcra(stateOf(at), 0, b, nowUs + later).used).to.be.at.most(gcra(stateOf(at), 0, b, nowUs).used);
      if (!gcra(stateOf(at), cost, b, nowUs).over) {
        expect(gcra(stateOf(at), cost, b, nowUs + later).over).to.equal(false);
      }
    }
  });

  law('whatever was stored, nobody waits longer than a whole bucket takes to fill, and a step of the clock', (at) => {
    const { bucket: b, nowUs } = at;
    const first = gcra({ tatUs: 2 ** 53 - 1, tatParts: at.tatParts }, 1, b, nowUs);
    const most = ceil(BigInt(b.burst) * intervalOf(b) + CLOCK_STEP, PARTS);
    for (const found of [first, gcra(stateOf(at), 1, b, nowUs)]) {
      expect(BigInt(found.resetAfterUs) <= most).to.equal(true);
      expect(gcra(found.state, 1, b, nowUs + Number(most)).over).to.equal(false);
    }
  });

  it('no span admits more than its burst and what flowed off meanwhile', () => {
    fc.assert(
      fc.property(bucket, calls, (b, all) => {
        const admitted: { atUs: number; cost: number }[] = [];
        let nowUs = NOON_US;
        let state = FULL;
        for (const { waits, cost } of all) {
          nowUs += Math.floor(waits * b.intervalUs);
          const found = gcra(state, cost, b, nowUs);
          state = found.state;
          if (!found.over) admitted.push({ atUs: nowUs, cost });
        }
        for (const [i, first] of admitted.entries()) {
          let sum = 0n;
          for (const { atUs, cost } of admitted.slice(i)) {
            sum += BigInt(cost);
            const most = BigInt(b.burst) * intervalOf(b) + exact(atUs - first.atUs, 0);
            expect(sum * intervalOf(b) <= most).to.equal(true);
          }
        }
      }),
      RUNS,
    );
  });

  it('a clock that goes back by up to 5 s admits nothing extra', () => {
    const back = fc.array(fc.nat(5 * SECOND_US), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(bucket, calls, back, (b, all, backs) => {
        let nowUs = NOON_US;
        let sum = 0n;
        let state = FULL;
        let first = Number.POSITIVE_INFINITY;
        let last = 0;
        for (const [i, { waits, cost }] of all.entries()) {
          nowUs += Math.floor(waits * b.intervalUs);
          const seenUs = nowUs - (backs[i] as number);
          first = Math.min(first, seenUs);
          last = Math.max(last, seenUs);
          const found = gcra(state, cost, b, seenUs);
          // As stores do: a look changes nothing, and a refused hit only what is too far ahead.
          if (found.state.tatUs < state.tatUs || (!found.over && cost > 0)) state = found.state;
          if (found.over) continue;
          sum += BigInt(cost);
        }
        if (sum === 0n) return;
        expect(sum * intervalOf(b) <= BigInt(b.burst) * intervalOf(b) + exact(last - first, 0)).to.equal(true);
      }),
      RUNS,
    );
  });

  it('a limit of 0 refuses all but looks and refunds', () => {
    const none = bucketOf(0, 60 * SECOND_US, 30);
    const told = [1, 0, -1].map((cost) => gcra(FULL, cost, none, NOON_US));
    expect(told.map(({ over, used, resetAfterUs }) => [over, used, resetAfterUs])).to.deep.equal([
      [true, 0, 0],
      [false, 0, 0],
      [false, 0, 0],
    ]);
  });

  it('7 per second with a burst of 1 admits one hit each 142,858 us, rounded up from 142,857 and 1/7', () => {
    const b = bucketOf(7, SECOND_US, 1);
    const { state } = gcra(FULL, 1, b, NOON_US);
    expect(gcra(state, 1, b, NOON_US)).to.include({ over: true, used: 1, resetAfterUs: 142_858 });
    expect(gcra(state, 1, b, NOON_US + 142_857).over).to.equal(true);
    expect(gcra(state, 1, b, NOON_US + 142_858)).to.include({ over: false, used: 1 });
  });
});
