import { expect } from 'chai';
import fc from 'fast-check';
import {
  admit,
  type BreakerState,
  CLOSED,
  FIRST_OPEN_US,
  LAST_OPEN_US,
  release,
  settle,
  wake,
} from '../../src/core/breaker.ts';
import { LAW_RUNS } from './runs.ts';

const SECOND_US = 1_000_000;

function failed(state: BreakerState, times: number, nowUs = 0): BreakerState {
  let now = state;
  for (let i = 0; i < times; i++) now = settle(now, now.generation, true, nowUs, 0);
  return now;
}

function succeeded(state: BreakerState, times: number, nowUs = 0): BreakerState {
  let now = state;
  for (let i = 0; i < times; i++) now = settle(now, now.generation, false, nowUs, 0);
  return now;
}

/** Ends the probe of a breaker that is due. */
function probed(state: BreakerState, nowUs: number, fails: boolean, random = 0): BreakerState {
  const probing = admit(state, nowUs);
  if (probing === null) throw new Error('the breaker was not due');
  return settle(probing, probing.generation, fails, nowUs, random);
}

function openUs(state: BreakerState): number {
  return state.kind === 'open' ? state.untilUs - state.sinceUs : 0;
}

describe('breaker', () => {
  it('is closed after 4 failures in a row and open after 5', () => {
    expect(failed(CLOSED, 4).kind).to.equal('closed');
    expect(failed(CLOSED, 5).kind).to.equal('open');
  });

  it('begins to count in a row anew after a success', () => {
    expect(failed(succeeded(failed(CLOSED, 4), 1), 4).kind).to.equal('closed');
  });

  it('opens when 10 of 20 results of a second fail, never 5 in a row', () => {
    let state = CLOSED;
    for (let i = 0; i < 10; i++) {
      expect(state.kind, `before pair ${i}`).to.equal('closed');
      state = failed(succeeded(state, 1, i * 50_000), 1, i * 50_000);
    }
    expect(state.kind).to.equal('open');
  });

  it('stays closed when 9 of 19 fail', () => {
    let state = succeeded(CLOSED, 1);
    for (let i = 0; i < 9; i++) state = failed(succeeded(state, 1), 1);
    expect(state.kind).to.equal('closed');
  });

  it('forgets results that are a second old', () => {
    let state = succeeded(CLOSED, 9);
    for (let i = 0; i < 9; i++) state = failed(succeeded(state, 1, i), 1, i);
    state = failed(succeeded(state, 10, SECOND_US + 9), 2, SECOND_US + 9);
    expect(state.kind).to.equal('closed');
  });

  it('stays open for 250 ms, 500 ms, 1, 2, 4, 5 and 5 s while probes fail', () => {
    let state = failed(CLOSED, 5);
    const lengths: number[] = [];
    for (let i = 0; i < 7; i++) {
      lengths.push(openUs(state) / 1_000);
      state = probed(state, state.kind === 'open' ? state.untilUs : 0, true);
    }
    expect(lengths).to.deep.equal([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('begins at 250 ms again after it closed', () => {
    const closed = probed(probed(failed(CLOSED, 5), FIRST_OPEN_US, true), SECOND_US, false);
    expect(closed.kind).to.equal('closed');
    expect(openUs(failed(closed, 5))).to.equal(FIRST_OPEN_US);
  });

  it('probes as soon as something is heard from the store, and only then goes on', () => {
    const woken = wake(failed(CLOSED, 5));
    const probing = admit(woken, 1) as BreakerState;
    expect([woken.kind, probing.kind, admit(probing, 1)]).to.deep.equal(['half_open', 'half_open', null]);
  });

  it('is due again when the clock is set back by an hour', () => {
    const state = failed(CLOSED, 5, 3_600 * SECOND_US);
    expect(admit(state, 0)?.kind).to.equal('half_open');
  });

  const move = fc.oneof(
    fc.record({ do: fc.constant('ask' as const) }),
    fc.record({ do: fc.constant('settle' as const), which: fc.nat(20), fails: fc.boolean() }),
    fc.record({ do: fc.constant('fail' as const), times: fc.nat(8) }),
    fc.record({ do: fc.constant('release' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('wake' as const) }),
    fc.record({ do: fc.constant('wait' as const), us: fc.integer({ min: 0, max: 6 * SECOND_US }) }),
  );
  type Move = typeof move extends fc.Arbitrary<infer M> ? M : never;

  interface Walk {
    state: BreakerState;
    nowUs: number;
    /** Generations of calls that were let through and have no result yet. */
    readonly waiting: number[];
  }

  function step(walk: Walk, made: Move, random: number): void {
    const { waiting } = walk;
    if (made.do === 'ask') {
      const next = admit(walk.state, walk.nowUs);
      if (next === null) return;
      walk.state = next;
      waiting.push(next.generation);
    } else if (made.do === 'settle' || made.do === 'release') {
      const [generation] = waiting.splice(made.which % Math.max(1, waiting.length), 1);
      if (generation === undefined) return;
      walk.state =
        made.do === 'release'
          ? release(walk.state, generation)
          : settle(walk.state, generation, made.fails, walk.nowUs, random);
    } else if (made.do === 'fail') {
      for (let i = 0; i < made.times; i++) walk.state = settle(walk.state, walk.state.generation, true, walk.nowUs, 0);
    } else if (made.do === 'wake') walk.state = wake(walk.state);
    else walk.nowUs += made.us;
  }

  function law(title: string, check: (before: BreakerState, walk: Walk, made: Move) => void): void {
    it(title, () => {
      const moves = fc.array(fc.tuple(move, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), {
        maxLength: 60,
      });
      fc.assert(
        fc.property(moves, (made) => {
          const walk: Walk = { state: CLOSED, nowUs: 0, waiting: [] };
          for (const [each, random] of made) {
            const before = walk.state;
            step(walk, each, random);
            check(before, walk, each);
          }
        }),
        { numRuns: LAW_RUNS },
      );
    });
  }

  law('lets nothing through while it is open', (before, walk, made) => {
    if (made.do !== 'ask' || before.kind !== 'open') return;
    if (walk.nowUs < before.untilUs) expect(walk.state).to.equal(before);
    else expect(walk.state.kind).to.equal('half_open');
  });

  law('has one probe on its way at most', (_, { state, waiting }) => {
    if (state.kind !== 'half_open') return;
    const probes = waiting.filter((generation) => generation === state.generation).length;
    expect(probes).to.equal(state.probing ? 1 : 0);
  });

  law('is changed by no result of an older generation', (before, { state, nowUs }) => {
    for (let generation = 0; generation < before.generation; generation++) {
      expect(settle(before, generation, true, nowUs, 0)).to.equal(before);
      expect(settle(before, generation, false, nowUs, 0)).to.equal(before);
      expect(release(before, generation)).to.equal(before);
    }
    expect(state.generation).to.be.within(before.generation, before.generation + 8);
  });

  law('is open for 187.5 ms to 5 s', (_, { state }) => {
    if (state.kind === 'open') expect(openUs(state)).to.be.within(0.75 * FIRST_OPEN_US, LAST_OPEN_US);
  });

  law('closes within 5 s of health, whatever came before', (_, { state, nowUs, waiting }) => {
    // What is on its way comes to an end, as every call does, and says nothing.
    let now = waiting.reduce(release, state);
    const later = nowUs + LAST_OPEN_US;
    const probing = admit(now, later);
    if (probing === null) throw new Error('nothing is let through');
    now = settle(probing, probing.generation, false, later, 0);
    expect(now.kind).to.equal('closed');
  });
});
