import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import { type Charge, type Store, StoreError } from '../../src/core/ports.ts';
import { acrossStores } from '../../src/store/across-stores.ts';
import { type MemoryStore, memoryStore } from '../../src/store/memory.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit, used } from '../contract/hit.ts';

/** A memory store whose answers wait until they are let go, in the order of their calls. */
interface HeldStore extends Store {
  readonly memory: MemoryStore;
  /** Costs of each call that was made. */
  readonly calls: (readonly number[])[];
  /** Lets the next `n` calls be counted and answered. */
  release(n: number): Promise<void>;
  hold(): void;
  fail(error: StoreError | null): void;
}

function heldStore(): HeldStore {
  const memory = memoryStore({ maxKeys: 100 });
  const waiting: (() => void)[] = [];
  const calls: (readonly number[])[] = [];
  let held = false;
  let failing: StoreError | null = null;
  return {
    memory,
    calls,
    hold() {
      held = true;
    },
    fail(error) {
      failing = error;
    },
    async take(...args) {
      calls.push(args[0].map(({ cost }) => cost));
      if (held) await new Promise<void>((resolve) => waiting.push(resolve));
      if (failing !== null) throw failing;
      return memory.take(...args);
    },
    async release(n) {
      for (let i = 0; i < n; i++) waiting.shift()?.();
      // Everything that follows from it happens before the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe('across stores', () => {
  let left: HeldStore;
  let right: HeldStore;
  let store: Store;
  beforeEach(() => {
    left = heldStore();
    right = heldStore();
    store = acrossStores({ route: ({ key }) => (key.startsWith('l') ? left : right) });
  });

  async function take(hits: readonly Hit[], charge: Charge): Promise<string[]> {
    const readings = await store.take(hits, charge, NOW_US);
    return readings.map((reading, i) => (tellsOver(reading, hits[i] as Hit) ? 'over' : `${used([reading])[0]}`));
  }
  const stands = async (its: HeldStore, key: string) =>
    used(await its.memory.take([hit(key, { cost: 0 })], 'always', NOW_US))[0];

  it('passes hits of one store on as they are, in one call', async () => {
    await store.take([hit('l1'), hit('l2')], 'only_if_admitted', NOW_US);
    expect([left.calls, right.calls]).to.deep.equal([[[1, 1]], []]);
  });

  it('asks all stores at once and answers in the order of the hits', async () => {
    left.hold();
    right.hold();
    const answer = take([hit('l', { cost: 1 }), hit('r', { cost: 2 }), hit('l2', { cost: 3 })], 'always');
    expect([left.calls, right.calls]).to.deep.equal([[[1, 3]], [[2]]]);
    await right.release(1);
    await left.release(1);
    expect(await answer).to.deep.equal(['1', '2', '3']);
  });

  for (const charge of ['only_if_admitted', 'stop_when_over'] as const) {
    it(`looks before it charges with ${charge}: two round trips`, async () => {
      expect(await take([hit('l'), hit('r')], charge)).to.deep.equal(['1', '1']);
      expect([left.calls, right.calls]).to.deep.equal([
        [[0], [1]],
        [[0], [1]],
      ]);
    });
  }

  it('writes nothing for a request that is seen to be over', async () => {
    expect(await take([hit('l'), hit('r', { limit: 0 })], 'only_if_admitted')).to.deep.equal(['0', 'over']);
    expect([left.calls, right.calls]).to.deep.equal([[[0]], [[0]]]);
  });

  it('holds quotas of two stores against each other', async () => {
    const quotas = [
      hit('l', { limit: 0, refuses: 'together', of: 0 }),
      hit('r', { limit: 1, refuses: 'together', of: 1 }),
    ];
    expect(await take(quotas, 'only_if_admitted')).to.deep.equal(['over', '1']);
    expect(await take(quotas, 'only_if_admitted')).to.deep.equal(['over', 'over']);
    expect([await stands(left, 'l'), await stands(right, 'r')]).to.deep.equal([1, 1]);
  });

  describe('when another request comes between the look and the charge', () => {
    const both = [hit('l', { limit: 9 }), hit('r', { limit: 1 })];

    for (const charge of ['only_if_admitted', 'stop_when_over'] as const) {
      it(`admits one of two on the last hit of a limit, and the loser gives its sibling back (${charge})`, async () => {
        left.hold();
        right.hold();
        const first = take(both, charge);
        const second = take(both, charge);
        // Both have seen room for one.
        await left.release(2);
        await right.release(2);
        await left.release(2);
        expect(await stands(left, 'l')).to.equal(2);
        await right.release(2);
        await left.release(1);
        expect([await first, await second]).to.deep.equal([
          ['1', '1'],
          ['1', 'over'],
        ]);
        expect(await stands(left, 'l')).to.equal(1);
      });
    }

    it('may refuse a third one for what is about to be given back, and admits it afterwards', async () => {
      const third = [hit('l', { limit: 2 })];
      right.hold();
      const first = take(both, 'only_if_admitted');
      const second = take(both, 'only_if_admitted');
      await right.release(2);
      // Both are charged on the left, and one of them will be refused on the right.
      expect(await take(third, 'only_if_admitted')).to.deep.equal(['over']);
      await right.release(2);
      await Promise.all([first, second]);
      expect(await take(third, 'only_if_admitted')).to.deep.equal(['2']);
    });

    it('never admits more than the limit, in whatever order the stores answer', async () => {
      left.hold();
      right.hold();
      const hits = [hit('l', { limit: 3 }), hit('r', { limit: 3 })];
      const calls = Array.from({ length: 12 }, () => take(hits, 'only_if_admitted'));
      for (let i = 0; i < 60; i++) await (i % 3 === 0 ? left : right).release(1 + (i % 2));
      const admitted = (await Promise.all(calls)).filter((told) => !told.includes('over'));
      expect(admitted.length).to.be.at.most(3);
      expect([await stands(left, 'l'), await stands(right, 'r')]).to.deep.equal([admitted.length, admitted.length]);
    });
  });

  describe('when one store fails', () => {
    const down = new StoreError('unavailable', 'gone');
    for (const charge of ['always', 'stop_when_over', 'only_if_admitted'] as const) {
      it(`fails the request with ${charge}, and the other's counter stands as before`, async () => {
        await take([hit('l', { cost: 3 })], 'always');
        right.fail(down);
        const error = await store.take([hit('l'), hit('r'), hit('l2')], charge, NOW_US).catch((e: unknown) => e);
        expect(error).to.equal(down);
        expect([await stands(left, 'l'), await stands(left, 'l2')]).to.deep.equal([3, 0]);
      });
    }

    it('gives back also when it fails between look and charge', async () => {
      right.hold();
      const answer = store.take([hit('l'), hit('r')], 'only_if_admitted', NOW_US).catch((e: unknown) => e);
      await right.release(1);
      right.fail(down);
      await right.release(1);
      expect(await answer).to.equal(down);
      expect(await stands(left, 'l')).to.equal(0);
    });

    it('fails with both down, and answers again when they are back', async () => {
      left.fail(down);
      right.fail(down);
      expect(await store.take([hit('l'), hit('r')], 'always', NOW_US).catch((e: unknown) => e)).to.equal(down);
      left.fail(null);
      right.fail(null);
      expect(await take([hit('l'), hit('r')], 'always')).to.deep.equal(['1', '1']);
    });
  });

  it('keeps the caller of a give-back out of it: it is sent though he has gone', async () => {
    const callers: unknown[] = [];
    const spy: Store = {
      take(hits, charge, nowUs, caller) {
        callers.push(caller);
        return left.memory.take(hits, charge, nowUs);
      },
    };
    right.fail(new StoreError('timeout', 'late'));
    const watched = acrossStores({ route: ({ key }) => (key === 'l' ? spy : right) });
    const caller = { deadlineMs: 1, cancelled: false };
    await watched.take([hit('l'), hit('r')], 'always', NOW_US, caller).catch(() => null);
    expect(callers).to.deep.equal([caller, undefined]);
  });

  describe('with algorithms that take nothing for what they refuse', () => {
    const start = NOW_US + HOUR_US;
    const at = (key: string, options = {}) => slidingHit(key, { atUs: start, ...options });
    /** Routed by what the identity begins with. */
    const both = () => acrossStores({ route: ({ key }) => (key.includes('l') ? left : right) });

    it('tells exactly when a hit would be admitted that nobody charged', async () => {
      await left.memory.take([slidingHit('l', { cost: 10 })], 'always', NOW_US);
      for (const charge of ['only_if_admitted', 'stop_when_over', 'always'] as const) {
        const [reading] = await both().take([at('l'), hit('r', { limit: 9 })], charge, start);
        expect(reading).to.include({ charged: false, over: true, used: 10, resetAfterUs: HOUR_US / 10 });
      }
      // Only `always` charges the sibling.
      expect(await stands(right, 'r')).to.equal(1);
    });

    it('tells a sibling that fits as it stands: when its bucket is full', async () => {
      await right.memory.take([bucketHit('r', { cost: 2 })], 'always', start);
      const readings = await both().take([hit('l', { limit: 0 }), bucketHit('r')], 'only_if_admitted', start);
      expect(readings[1]).to.include({ charged: false, over: false, used: 2, resetAfterUs: 2 * 31_536_000_000_000 });
    });

    it('gives back what goes over only beside its copy', async () => {
      const one = at('l', { limit: 1 });
      const readings = await both().take([one, one, hit('r')], 'only_if_admitted', start);
      expect(readings.map((reading) => reading.kind === 'counted' && reading.charged)).to.deep.equal([
        false,
        false,
        false,
      ]);
      expect(used(await left.memory.take([{ ...one, cost: 0 }], 'always', start))).to.deep.equal([0]);
      expect(await stands(right, 'r')).to.equal(0);
    });
  });
});
