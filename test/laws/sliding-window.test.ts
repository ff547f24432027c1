import { expect } from 'chai';
import fc from 'fast-check';
import {
  elapsedTicks,
  estimate,
  type SlidingCounters,
  type SlidingOutcome,
  slidingWindow,
  TICKS,
} from '../../src/core/algorithm/sliding-window.ts';
import { LAW_RUNS } from './runs.ts';
import { NOON_US } from './world.ts';

const RUNS = { numRuns: LAW_RUNS };

/** One key of a limit: the counters of all its windows. */
function key(requestsPerUnit: number, windowSeconds: number) {
  const windowUs = windowSeconds * TICKS;
  const counters = new Map<number, number>();
  const startOf = (nowUs: number) => Math.floor(nowUs / windowUs) * windowUs;
  return {
    counters,
    take(cost: number, nowUs: number): SlidingOutcome {
      const startUs = startOf(nowUs);
      const state = { used: counters.get(startUs) ?? 0, before: counters.get(startUs - windowUs) ?? 0 };
      const window = { requestsPerUnit, windowSeconds, windowEndUs: startUs + windowUs };
      const outcome = slidingWindow(state, cost, window, nowUs);
      counters.set(startUs, outcome.counters.used);
      return outcome;
    },
  };
}

/** The state that `earlier` leaves `laterUs`: the same window, the one after it, or any later one. */
function aged({ used, before }: SlidingCounters, windows: number): SlidingCounters {
  if (windows === 0) return { used, before };
  return { used: 0, before: windows === 1 ? used : 0 };
}

const limit = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(1_000, 300_000, 2 ** 32 - 1));
const windowSeconds = fc.constantFrom(1, 7, 60, 300, 3_600, 86_400, 31_536_000);
const counter = (most: number) => fc.integer({ min: 0, max: most });
/** A limit whose counters stand somewhere at some time of a window. */
const standing = fc.tuple(limit, windowSeconds).chain(([most, seconds]) =>
  fc.record({
    most: fc.constant(most),
    seconds: fc.constant(seconds),
    used: counter(most),
    before: counter(most),
    cost: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: Math.max(1, most) })),
    atUs: fc.integer({ min: 0, max: seconds * TICKS - 1 }),
  }),
);
type Standing = typeof standing extends fc.Arbitrary<infer S> ? S : never;

const windowOf = ({ most, seconds }: Standing) => ({
  requestsPerUnit: most,
  windowSeconds: seconds,
  windowEndUs: NOON_US + seconds * TICKS,
});

interface Arrival {
  readonly atUs: number;
  readonly cost: number;
}

/** Admitted arrivals. */
function admitted(arrivals: readonly Arrival[], most: number, seconds: number): readonly Arrival[] {
  const { take } = key(most, seconds);
  return arrivals.filter(({ atUs, cost }) => !take(cost, atUs).over);
}

/** Times in a window of 7 s: anywhere, and close to edges, where it is hardest. */
const SECONDS = 7;
const WINDOW_US = SECONDS * TICKS;
const moment = fc.oneof(
  fc.integer({ min: 0, max: 4 * WINDOW_US }),
  fc.tuple(fc.nat(4), fc.integer({ min: -20, max: 20 })).map(([n, us]) => Math.max(0, n * WINDOW_US + us)),
);
const arrivals = fc
  .array(fc.record({ atUs: moment.map((us) => NOON_US - (NOON_US % WINDOW_US) + us), cost: fc.nat(4) }), {
    maxLength: 60,
  })
  .map((all) => [...all].sort((a, b) => a.atUs - b.atUs));

/** The most that any span from an arrival to another admits beyond what `bound` allows for its length. */
function worst(all: readonly Arrival[], bound: (spanUs: number) => number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, first] of all.entries()) {
    let sum = 0;
    for (const { atUs, cost } of all.slice(i)) {
      sum += cost;
      const spanUs = atUs - first.atUs;
      if (spanUs <= WINDOW_US) most = Math.max(most, sum - bound(spanUs));
    }
  }
  return most;
}

describe('law of the sliding window', function () {
  this.timeout(120_000);

  it('no aligned window admits more than its limit', () => {
    fc.assert(
      fc.property(fc.nat(12), arrivals, (most, all) => {
        const sums = new Map<number, number>();
        for (const { atUs, cost } of admitted(all, most, SECONDS)) {
          const window = Math.floor(atUs / WINDOW_US);
          sums.set(window, (sums.get(window) ?? 0) + cost);
        }
        expect(Math.max(0, ...sums.values())).to.be.at.most(most);
      }),
      RUNS,
    );
  });

  it('no span of length d up to a window admits more than limit x (1 + d / window)', () => {
    fc.assert(
      fc.property(fc.nat(12), arrivals, (most, all) => {
        const bound = (spanUs: number) => most * (1 + spanUs / WINDOW_US);
        expect(worst(admitted(all, most, SECONDS), bound)).to.be.at.most(1e-6);
      }),
      RUNS,
    );
  });

  it('reaches 1,990 of 2,000 in a window when somebody bursts at its end and then follows the refill', () => {
    const startUs = NOON_US - (NOON_US % WINDOW_US);
    const burst = Array.from({ length: 1_000 }, () => ({ atUs: startUs + WINDOW_US - 1, cost: 1 }));
    const refill = Array.from({ length: 2_000 }, (_, i) => ({ atUs: startUs + WINDOW_US + i * 3_490, cost: 1 }));
    const through = admitted([...burst, ...refill], 1_000, SECONDS);
    expect(through.length).to.be.within(1_990, 2_000);
    const atEdge = [...burst, ...Array.from({ length: 1_000 }, () => ({ atUs: startUs + WINDOW_US, cost: 1 }))];
    expect(admitted(atEdge, 1_000, SECONDS)).to.have.lengthOf(1_000);
  });

  it('a clock that goes back by up to 5 s lets no window count more than its limit', () => {
    const shaken = fc.record({ waits: fc.nat(WINDOW_US), back: fc.nat(5 * TICKS), cost: fc.nat(4) });
    fc.assert(
      fc.property(fc.nat(12), fc.array(shaken, { maxLength: 40 }), (most, all) => {
        const { take, counters } = key(most, SECONDS);
        let nowUs = NOON_US;
        for (const { waits, back, cost } of all) {
          nowUs += waits;
          take(cost, nowUs - back);
        }
        expect(Math.max(0, ...counters.values())).to.be.at.most(most);
      }),
      RUNS,
    );
  });

  it('is refused 1 us before its promised time and admitted at it; what never fits is told when all is gone', () => {
    fc.assert(
      fc.property(standing, (at) => {
        const window = windowOf(at);
        const nowUs = NOON_US + at.atUs;
        const { over, counters, resetAfterUs } = slidingWindow(at, at.cost, window, nowUs);
        if (!over) return;
        const later = (us: number): SlidingOutcome => {
          const windows = Math.floor((us - NOON_US) / (at.seconds * TICKS));
          const then = { ...window, windowEndUs: window.windowEndUs + windows * at.seconds * TICKS };
          return slidingWindow(aged(counters, windows), at.cost, then, us);
        };
        expect(Number.isSafeInteger(resetAfterUs) && resetAfterUs > 0).to.equal(true);
        expect(later(nowUs + resetAfterUs - 1).over).to.equal(true);
        expect(later(nowUs + resetAfterUs).over).to.equal(at.cost > at.most);
        if (at.cost > at.most) expect(later(nowUs + resetAfterUs).used).to.equal(0);
      }),
      RUNS,
    );
  });

  it('admits exactly what fits beside the estimate, which never leaves the integers', () => {
    fc.assert(
      fc.property(standing, (at) => {
        const elapsed = BigInt(elapsedTicks(windowOf(at), NOON_US + at.atUs));
        const million = BigInt(TICKS);
        const exact = BigInt(at.used) + (BigInt(at.before) * (million - elapsed) + million - 1n) / million;
        const { over, used } = slidingWindow(at, at.cost, windowOf(at), NOON_US + at.atUs);
        expect(over).to.equal(exact + BigInt(at.cost) > BigInt(at.most));
        expect(BigInt(used)).to.equal(over ? exact : exact + BigInt(at.cost));
      }),
      RUNS,
    );
  });

  it('n hits of 1 that are admitted leave what one hit of n leaves', () => {
    fc.assert(
      fc.property(standing, fc.integer({ min: 1, max: 9 }), (at, n) => {
        const nowUs = NOON_US + at.atUs;
        const whole = slidingWindow(at, n, windowOf(at), nowUs);
        let counters: SlidingCounters = { used: at.used, before: at.before };
        let refused = false;
        for (let i = 0; i < n; i++) {
          const one = slidingWindow(counters, 1, windowOf(at), nowUs);
          refused ||= one.over;
          counters = one.counters;
        }
        expect(refused).to.equal(whole.over);
        if (!refused) expect(counters).to.deep.equal(whole.counters);
      }),
      RUNS,
    );
  });

  it('a look changes nothing and is over only where the limit was lowered', () => {
    fc.assert(
      fc.property(standing, counter(20), (at, lowered) => {
        const nowUs = NOON_US + at.atUs;
        const { over, counters, used } = slidingWindow(at, 0, { ...windowOf(at), requestsPerUnit: lowered }, nowUs);
        expect(counters).to.deep.equal({ used: at.used, before: at.before });
        expect(over).to.equal(used > lowered);
      }),
      RUNS,
    );
  });

  it('what is given back can be charged again, and no refund goes below zero or touches the window before', () => {
    fc.assert(
      fc.property(standing, (at) => {
        const nowUs = NOON_US + at.atUs;
        const back = slidingWindow(at, -at.cost, windowOf(at), nowUs);
        expect(back.counters).to.deep.equal({ used: Math.max(0, at.used - at.cost), before: at.before });
        const room = estimate(at.used, at.before, elapsedTicks(windowOf(at), nowUs)) <= at.most;
        if (at.used < at.cost || !room) return;
        const again = slidingWindow(back.counters, at.cost, windowOf(at), nowUs);
        expect(again.counters).to.deep.equal({ used: at.used, before: at.before });
      }),
      RUNS,
    );
  });

  it('the estimate only falls while time passes', () => {
    fc.assert(
      fc.property(standing, fc.nat(), (at, us) => {
        const laterUs = NOON_US + Math.min(at.seconds * TICKS - 1, at.atUs + us);
        const now = slidingWindow(at, 0, windowOf(at), NOON_US + at.atUs);
        const later = slidingWindow(at, 0, windowOf(at), laterUs);
        expect(later.used).to.be.at.most(now.used);
        const next = { ...windowOf(at), windowEndUs: windowOf(at).windowEndUs + at.seconds * TICKS };
        const beyond = slidingWindow({ used: 0, before: at.used }, 0, next, windowOf(at).windowEndUs);
        expect(beyond.used).to.be.at.most(later.used);
      }),
      RUNS,
    );
  });
});
