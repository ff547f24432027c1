import { AssertionError, expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { algorithmFacts } from './algorithms.ts';
import { HOUR_US, hit, NOW_US, used } from './hit.ts';

/** What a store may be unable to do. */
export type StoreFact = 'counts what is over' | 'tells its keys' | 'keeps order';

export interface StoreUnderTest {
  readonly store: Store;
  /** How many counters it holds. */
  keys(): Promise<number>;
  /** Back to no counters. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export interface StoreContractOptions {
  /** The facts that don't hold here, and why. */
  readonly cannot?: Partial<Record<StoreFact, string>>;
  /** Skips when what the store needs is not there. */
  readonly needs?: (context: Mocha.Context) => void;
}

/** The suite every store and every decorator of a store passes. */
export function storeContract(
  name: string,
  make: () => Promise<StoreUnderTest>,
  { cannot = {}, needs }: StoreContractOptions = {},
): void {
  describe(`${name} as a store`, () => {
    let made: StoreUnderTest;
    before(async function () {
      // A cluster takes seconds to agree that it is one.
      this.timeout(30_000);
      needs?.(this);
      made = await make();
    });
    beforeEach(() => made.clear());
    after(() => made?.stop());

    async function take(hits: readonly Hit[], charge: Charge = 'always') {
      return used(await made.store.take(hits, charge, NOW_US));
    }

    /** A fact that some store can't do. There the excuse is tested: once the fact holds, the excuse must go. */
    function fact(needed: StoreFact, title: string, test: () => Promise<void>): void {
      const reason = cannot[needed];
      if (reason === undefined) {
        it(title, test);
        return;
      }
      it(`[does not: ${reason}] ${title}`, async () => {
        const failure = await test().then(
          () => null,
          (error: unknown) => error,
        );
        expect(failure, 'a store that can do it has no excuse').to.be.instanceOf(AssertionError);
      });
    }

    describe('a counter', () => {
      it('reads 1, 2, 3 after three hits of 1', async () => {
        expect([await take([hit('a')]), await take([hit('a')]), await take([hit('a')])]).to.deep.equal([[1], [2], [3]]);
      });

      it('reads 7 after a hit of 7', async () => {
        expect(await take([hit('a', { cost: 7 })])).to.deep.equal([7]);
      });

      it('is another one for another key', async () => {
        await take([hit('a', { cost: 3 })]);
        expect(await take([hit('b'), hit('a')])).to.deep.equal([1, 4]);
      });

      fact('counts what is over', 'keeps counting what it refuses: 9 of 5, then 10', async () => {
        await take([hit('a', { cost: 9, limit: 5 })]);
        expect(await take([hit('a', { limit: 5 })])).to.deep.equal([10]);
      });

      it('answers 100 hits of one request in their order', async () => {
        const hits = Array.from({ length: 100 }, (_, i) => hit(`k${i}`, { cost: i, limit: 1_000 }));
        expect(await take(hits)).to.deep.equal(hits.map((h) => h.cost));
      });

      it('answers no hits with no readings', async () => {
        expect(await take([])).to.deep.equal([]);
      });
    });

    describe('a cost of 0', () => {
      it('reads 0 where there is no counter', async () => {
        expect(await take([hit('a', { cost: 0 })])).to.deep.equal([0]);
      });

      fact('tells its keys', 'makes no counter', async () => {
        await take([hit('a', { cost: 0 })]);
        expect(await made.keys()).to.equal(0);
      });

      it('changes nothing', async () => {
        await take([hit('a', { cost: 4 })]);
        expect(await take([hit('a', { cost: 0 })])).to.deep.equal([4]);
        expect(await take([hit('a', { cost: 0 })])).to.deep.equal([4]);
      });
    });

    describe('a refund', () => {
      it('of 2 takes 5 to 3', async () => {
        await take([hit('a', { cost: 5 })]);
        expect(await take([hit('a', { cost: -2 })])).to.deep.equal([3]);
      });

      it('of 9 takes 5 to 0, and the next hit reads 1', async () => {
        await take([hit('a', { cost: 5 })]);
        expect(await take([hit('a', { cost: -9 })])).to.deep.equal([0]);
        expect(await take([hit('a')])).to.deep.equal([1]);
      });

      fact('tells its keys', 'where there is no counter reads 0 and makes none', async () => {
        expect(await take([hit('a', { cost: -3 })])).to.deep.equal([0]);
        expect(await made.keys()).to.equal(0);
      });

      it('lets a key that was over be counted again', async () => {
        await take([hit('a', { cost: 11 })]);
        expect(await take([hit('a', { cost: -5 })])).to.deep.equal([6]);
        expect(await take([hit('a')])).to.deep.equal([7]);
      });
    });

    describe('huge hits', () => {
      it('saturate at 2^53-1', async () => {
        expect(await take([hit('a', { cost: MAX_HITS })])).to.deep.equal([MAX_HITS]);
      });

      fact('counts what is over', 'saturate when they add up, and give back exactly from there', async () => {
        await take([hit('a', { cost: MAX_HITS - 1 })]);
        expect(await take([hit('a', { cost: MAX_HITS - 1 })])).to.deep.equal([MAX_HITS]);
        expect(await take([hit('a', { cost: 1 })])).to.deep.equal([MAX_HITS]);
        expect(await take([hit('a', { cost: 1 - MAX_HITS })])).to.deep.equal([1]);
      });

      it('leave their siblings decided', async () => {
        expect(await take([hit('s'), hit('a', { cost: MAX_HITS }), hit('t')])).to.deep.equal([1, MAX_HITS, 1]);
      });
    });

    describe('the same key twice in a request', () => {
      it('is counted in order', async () => {
        expect(await take([hit('a'), hit('a'), hit('a', { cost: 3 })])).to.deep.equal([1, 2, 5]);
      });

      it('is looked at in order: 3, then 3, then 4', async () => {
        expect(await take([hit('a', { cost: 3 }), hit('a', { cost: 0 }), hit('a')])).to.deep.equal([3, 3, 4]);
      });
    });

    describe('stop_when_over', () => {
      const small = { limit: 2 };
      const large = { limit: 9 };

      it('charges all while none would go over', async () => {
        expect(await take([hit('s', small), hit('l', large)], 'stop_when_over')).to.deep.equal([1, 1]);
        expect(await take([hit('s', small), hit('l', large)], 'stop_when_over')).to.deep.equal([2, 2]);
      });

      it('charges the hit that goes over and only looks at its sibling', async () => {
        await take([hit('s', { ...small, cost: 2 }), hit('l', { ...large, cost: 2 })]);
        expect(await take([hit('s', small), hit('l', large)], 'stop_when_over')).to.deep.equal([3, 2]);
        expect(await take([hit('l', large)], 'stop_when_over')).to.deep.equal([3]);
      });

      it('holds a hit of 4 against the limit of 6 that stands at 4', async () => {
        const a = hit('a', { cost: 4, limit: 10 });
        const b = hit('b', { cost: 4, limit: 6 });
        expect(await take([a, b], 'stop_when_over')).to.deep.equal([4, 4]);
        expect(await take([a, b], 'stop_when_over')).to.deep.equal([4, 8]);
      });

      it('saturates huge hits and only looks at their sibling', async () => {
        const hits = [hit('a', { cost: MAX_HITS }), hit('s')];
        expect(await take(hits, 'stop_when_over')).to.deep.equal([MAX_HITS, 0]);
      });

      it('gives a refund back beside one that goes over', async () => {
        await take([hit('l', { ...large, cost: 4 })]);
        expect(await take([hit('s', { limit: 0 }), hit('l', { ...large, cost: -3 })], 'stop_when_over')).to.deep.equal([
          1, 1,
        ]);
      });

      it('charges quotas unless all go over, and then those too', async () => {
        const quotas = [
          hit('p', { limit: 1, refuses: 'together', of: 0 }),
          hit('q', { limit: 2, refuses: 'together', of: 1 }),
        ];
        for (const counters of [
          [1, 1],
          [2, 2],
        ]) {
          expect(await take(quotas, 'stop_when_over')).to.deep.equal(counters);
        }
        const third = await made.store.take([...quotas, hit('r')], 'stop_when_over', NOW_US);
        expect(third.map((reading, i) => tellsOver(reading, [...quotas, hit('r')][i] as Hit))).to.deep.equal([
          true,
          true,
          false,
        ]);
        expect(used(third)[2]).to.equal(0);
      });

      it('lets a shadow rule stop nobody', async () => {
        const ghost = hit('g', { limit: 1, shadow: true });
        await take([ghost, hit('r', { limit: 3 })], 'stop_when_over');
        expect(await take([ghost, hit('r', { limit: 3 })], 'stop_when_over')).to.deep.equal([2, 2]);
      });

      it('only looks at a shadow rule beside a real one that goes over', async () => {
        const ghost = hit('g', { limit: 9, shadow: true });
        expect(await take([ghost, hit('r', { limit: 3, cost: 4 })], 'stop_when_over')).to.deep.equal([0, 4]);
      });

      it('charges a shadow rule that goes over beside a real one that does', async () => {
        const ghost = hit('g', { limit: 1, cost: 2, shadow: true });
        expect(await take([ghost, hit('r', { limit: 3, cost: 4 })], 'stop_when_over')).to.deep.equal([2, 4]);
      });

      it('holds each copy of a key against the counter before the request', async () => {
        const one = hit('a', { limit: 1 });
        expect(await take([one, one], 'stop_when_over')).to.deep.equal([1, 2]);
      });

      it('charges a single hit like any other', async () => {
        expect(await take([hit('a', { limit: 2, cost: 5 })], 'stop_when_over')).to.deep.equal([5]);
      });

      fact('keeps order', 'decides requests that come together one after the other', async () => {
        const answers = await Promise.all([
          take([hit('s', { limit: 1, cost: 5 }), hit('l')], 'stop_when_over'),
          take([hit('l'), hit('m')], 'stop_when_over'),
          take([hit('m'), hit('m')]),
          take([hit('n'), hit('l', { limit: 1, cost: 2 })], 'stop_when_over'),
        ]);
        expect(answers).to.deep.equal([
          [5, 0],
          [1, 1],
          [2, 3],
          [0, 3],
        ]);
      });
    });

    describe('only_if_admitted', () => {
      const small = { limit: 2 };
      const large = { limit: 9 };
      const told = async (hits: readonly Hit[]) =>
        (await made.store.take(hits, 'only_if_admitted', NOW_US)).map((reading, i) => {
          const over = tellsOver(reading, hits[i] as Hit) ? ' over' : '';
          if (reading.kind === 'assumed') return `${reading.because}${over}`;
          return `${reading.used}${reading.charged ? '' : ' uncharged'}${over}`;
        });
      const counter = async (key: string) => (await take([hit(key, { cost: 0, limit: 100 })]))[0];

      it('charges all while none would go over', async () => {
        expect(await told([hit('s', small), hit('l', large)])).to.deep.equal(['1', '1']);
        expect(await told([hit('s', small), hit('l', large)])).to.deep.equal(['2', '2']);
      });

      it('charges nobody when one would go over, which is told over at 2 of 2', async () => {
        await take([hit('s', { ...small, cost: 2 }), hit('l', { ...large, cost: 2 })]);
        for (let i = 0; i < 3; i++) {
          const [s, l] = await told([hit('s', small), hit('l', large)]);
          expect(s).to.be.oneOf(['2 uncharged over', 'over_limit_cache over']);
          expect(l).to.equal('2 uncharged');
        }
        expect([await counter('s'), await counter('l')]).to.deep.equal([2, 2]);
      });

      it('refuses 5 hits at 8 of 10 and then still admits 2', async () => {
        await take([hit('a', { cost: 8 })]);
        expect(await told([hit('a', { cost: 5 })])).to.deep.equal(['8 uncharged over']);
        expect(await told([hit('a', { cost: 2 })])).to.deep.equal(['10']);
      });

      it('looks at a counter that stands at its limit and tells it is not over', async () => {
        await take([hit('a', { cost: 10 })]);
        await told([hit('a')]);
        expect(await told([hit('a', { cost: 0 })])).to.deep.equal(['10']);
      });

      it('charges a shadow rule that goes over, and its siblings', async () => {
        const ghost = hit('g', { limit: 1, cost: 2, shadow: true });
        expect(await told([ghost, hit('r', { limit: 3 })])).to.deep.equal(['2 over', '1']);
      });

      it('charges no shadow rule beside a real one that would go over', async () => {
        const ghost = hit('g', { limit: 1, cost: 2, shadow: true });
        expect(await told([ghost, hit('r', { limit: 3, cost: 4 })])).to.deep.equal([
          '0 uncharged over',
          '0 uncharged over',
        ]);
      });

      it('charges a quota that goes over beside one that does not', async () => {
        const quotas = [
          hit('p', { limit: 1, cost: 2, refuses: 'together', of: 0 }),
          hit('q', { limit: 3, cost: 2, refuses: 'together', of: 1 }),
        ];
        expect(await told(quotas)).to.deep.equal(['2 over', '2']);
        const [, q] = await told(quotas);
        expect(q).to.equal('2 uncharged over');
        expect([await counter('p'), await counter('q')]).to.deep.equal([2, 2]);
      });

      it('charges neither copy of a key that has room for one', async () => {
        const one = hit('a', { limit: 1 });
        expect(await told([one, one])).to.deep.equal(['0 uncharged', '0 uncharged over']);
        expect(await told([one])).to.deep.equal(['1']);
      });

      it('gives a refund back though its sibling is refused', async () => {
        await take([hit('a', { cost: 5 })]);
        const hits = [hit('a', { cost: -2 }), hit('b', { limit: 0 })];
        expect(await told(hits)).to.deep.equal(['3 uncharged', '0 uncharged over']);
        expect([await counter('a'), await counter('b')]).to.deep.equal([3, 0]);
      });

      it('gives a refund back where the counter stays over', async () => {
        await take([hit('a', { cost: 15, limit: 20 })]);
        expect(await told([hit('a', { cost: -3 })])).to.deep.equal(['12 uncharged over']);
      });

      it('refuses huge hits and leaves the counter where it was', async () => {
        expect(await told([hit('a', { cost: MAX_HITS }), hit('b')])).to.deep.equal(['0 uncharged over', '0 uncharged']);
        expect(await told([hit('b'), hit('a')])).to.deep.equal(['1', '1']);
      });

      fact('tells its keys', 'makes no counter where it refuses', async () => {
        await told([hit('a', { limit: 0 }), hit('b')]);
        expect(await made.keys()).to.equal(0);
      });

      it('admits exactly 10 of 50 calls at once on a limit of 10, and its sibling stands at 10', async () => {
        const calls = Array.from({ length: 50 }, () => told([hit('a'), hit('b', { limit: 100 })]));
        const admitted = (await Promise.all(calls)).filter(([a]) => !a?.includes('over'));
        expect(admitted).to.have.lengthOf(10);
        expect(await counter('b')).to.equal(10);
      });
    });

    describe('a key', () => {
      const keys = [
        '',
        'a',
        'A',
        'a ',
        'a\n',
        'a\0',
        'a_b',
        'é',
        'e\u0301',
        '\ud83d\ude00',
        '\udc80',
        '\udcff',
        '\udcc3\udca8',
      ];
      it('is told apart from every other, whatever is in it', async () => {
        const hits = keys.map((key, i) => hit(key, { cost: i + 1, limit: 100 }));
        await take(hits);
        expect(await take(keys.map((key) => hit(key, { cost: 0, limit: 100 })))).to.deep.equal(hits.map((h) => h.cost));
      });

      it('may be 100,000 characters long', async () => {
        const long = 'x'.repeat(100_000);
        expect(await take([hit(`${long}1`), hit(`${long}2`), hit(`${long}1`)])).to.deep.equal([1, 1, 2]);
      });
    });

    algorithmFacts(
      () => made.store,
      fact,
      () => made.keys(),
    );

    it('admits exactly 10 of 50 calls at once on a limit of 10', async () => {
      const readings = await Promise.all(Array.from({ length: 50 }, () => take([hit('a')])));
      const admitted = readings.filter(([n]) => typeof n === 'number' && n <= 10);
      expect(admitted).to.have.lengthOf(10);
    });

    it('never lets the next window see the last one', async () => {
      await take([hit('k_1', { cost: 8 })]);
      const next = { ...hit('k_2'), windowEndUs: NOW_US + 2 * HOUR_US };
      expect(used(await made.store.take([next], 'always', NOW_US + HOUR_US))).to.deep.equal([1]);
    });
  });
}
