import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { tellsOver } from '../../src/core/denial.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { bucketHit, HOUR_US, hit, NOW_US, slidingHit } from './hit.ts';
import type { StoreFact } from './store.ts';

type Fact = (needed: StoreFact, title: string, test: () => Promise<void>) => void;

const YEAR_US = 31_536_000_000_000;

/** What every store does with algorithms that take nothing for what they refuse. Part of `storeContract`. */
export function algorithmFacts(store: () => Store, fact: Fact, keys: () => Promise<number>): void {
  /** As `3`, or `10 over` when it was refused; what is not charged and not over has an asterisk. */
  async function take(hits: readonly Hit[], charge: Charge = 'always', atUs = NOW_US): Promise<readonly string[]> {
    const readings = await store().take(hits, charge, atUs);
    return readings.map((reading, i) => {
      if (reading.kind === 'assumed') return reading.outcome === 'ok' ? 'ok' : 'over';
      const over = tellsOver(reading, hits[i] as Hit);
      return `${reading.used}${over ? ' over' : reading.charged ? '' : '*'}`;
    });
  }

  async function resetOf(one: Hit, atUs = NOW_US): Promise<number> {
    const [reading] = await store().take([one], 'always', atUs);
    return reading?.resetAfterUs ?? Number.NaN;
  }

  for (const [name, on] of [
    ['a sliding window', slidingHit],
    ['a bucket', bucketHit],
  ] as const) {
    describe(name, () => {
      it('reads 1, 2 and 7 after hits of 1, 1 and 5', async () => {
        expect([await take([on('a')]), await take([on('a')]), await take([on('a', { cost: 5 })])]).to.deep.equal([
          ['1'],
          ['2'],
          ['7'],
        ]);
      });

      it('of 10 refuses the 11th hit, which takes nothing: one that is given back fits at once', async () => {
        expect(await take([on('a', { cost: 10 })])).to.deep.equal(['10']);
        for (let i = 0; i < 3; i++) expect((await take([on('a')]))[0]).to.be.oneOf(['10 over', 'over']);
        expect(await take([on('a', { cost: -1 })])).to.deep.equal(['9']);
        expect(await take([on('a')])).to.deep.equal(['10']);
      });

      it('that has 8 of 10 refuses 5 and still admits 2', async () => {
        await take([on('a', { cost: 8 })]);
        expect(await take([on('a', { cost: 5 })])).to.deep.equal(['8 over']);
        expect(await take([on('a', { cost: 2 })])).to.deep.equal(['10']);
      });

      it('refuses 2^53 - 1 hits, and decides their sibling', async () => {
        expect(await take([on('a', { cost: MAX_HITS }), on('b')])).to.deep.equal(['0 over', '1']);
        expect(await take([on('a', { cost: -MAX_HITS })])).to.deep.equal(['0']);
      });

      fact('tells its keys', 'makes no counter for a look, a refund or a refusal', async () => {
        await take([on('a', { cost: 0 }), on('a', { cost: -3 }), on('a', { cost: 11 }), on('a', { limit: 0 })]);
        expect(await keys()).to.equal(0);
      });

      it('is looked at without a change: 4, 4, 4', async () => {
        expect(await take([on('a', { cost: 4 }), on('a', { cost: 0 }), on('a', { cost: 0 })])).to.deep.equal([
          '4',
          '4',
          '4',
        ]);
      });

      it('of 0 admits looks alone', async () => {
        expect(await take([on('a', { limit: 0, cost: 0 })])).to.deep.equal(['0']);
        expect(await take([on('a', { limit: 0 })])).to.deep.equal(['0 over']);
      });

      it('that is raised from 10 to 12 admits 2 more at once', async () => {
        await take([on('a', { cost: 10 })]);
        await take([on('a')]);
        expect(await take([on('a', { limit: 12, cost: 2 })])).to.deep.equal(['12']);
      });

      it('that is lowered from 10 to 5 refuses at once', async () => {
        await take([on('a', { cost: 8 })]);
        expect((await take([on('a', { limit: 5 })]))[0]).to.contain('over');
      });

      it('that refuses charges nothing of it and looks at its siblings: stop_when_over', async () => {
        await take([on('s', { limit: 2, cost: 2 }), hit('l', { cost: 2 })]);
        const found = await take([on('s', { limit: 2 }), hit('l'), on('m')], 'stop_when_over');
        expect(found).to.deep.equal(['2 over', '2*', '0*']);
      });

      it('beside a fixed window that goes over is only looked at: stop_when_over', async () => {
        expect(await take([on('s'), hit('l', { limit: 1, cost: 2 })], 'stop_when_over')).to.deep.equal([
          '0*',
          '2 over',
        ]);
      });

      it('charges nobody when one would go over, and all when none would: only_if_admitted', async () => {
        expect(await take([on('s', { limit: 2, cost: 2 }), hit('l'), on('m')], 'only_if_admitted')).to.deep.equal([
          '2',
          '1',
          '1',
        ]);
        const [s, l, m] = await take([on('s', { limit: 2 }), hit('l'), on('m')], 'only_if_admitted');
        expect(s).to.be.oneOf(['2 over', 'over']);
        expect([l, m]).to.deep.equal(['1*', '1*']);
        expect(await take([hit('l', { cost: 0 }), on('m', { cost: 0 })])).to.deep.equal(['1', '1']);
      });

      it('charges neither copy of a key that has room for one: only_if_admitted', async () => {
        const one = on('a', { limit: 1 });
        expect(await take([one, one], 'only_if_admitted')).to.deep.equal(['0*', '0 over']);
        expect(await take([one])).to.deep.equal(['1']);
      });

      it('gives a refund back though its sibling is refused: only_if_admitted', async () => {
        await take([on('a', { cost: 5 })]);
        const found = await take([on('a', { cost: -2 }), hit('b', { limit: 0 })], 'only_if_admitted');
        expect(found).to.deep.equal(['3*', '0 over']);
        expect(await take([on('a', { cost: 0 })])).to.deep.equal(['3']);
      });

      it('that is a shadow refuses nobody, and is not charged beyond its limit', async () => {
        const ghost = on('g', { limit: 1, shadow: true });
        expect(await take([ghost, hit('r')], 'only_if_admitted')).to.deep.equal(['1', '1']);
        const [, r] = await take([ghost, hit('r')], 'only_if_admitted');
        expect(r).to.equal('2');
        expect(await take([on('g', { limit: 9, cost: 0 })])).to.deep.equal(['1']);
      });

      it('admits exactly 10 of 50 calls at once', async () => {
        const answers = await Promise.all(Array.from({ length: 50 }, () => take([on('a')])));
        expect(answers.filter(([a]) => !a?.includes('over'))).to.have.lengthOf(10);
      });
    });
  }

  describe('a sliding window of an hour', () => {
    const at = (minutes: number, options = {}) => {
      const atUs = NOW_US + (minutes * HOUR_US) / 60;
      return take([slidingHit('a', { atUs, ...options })], 'always', atUs);
    };

    it('weighs the 10 of the hour before as 10, 5 and 0 at its start, half and end', async () => {
      await at(59, { cost: 10 });
      expect([await at(60, { cost: 0 }), await at(90, { cost: 0 }), await at(120, { cost: 0 })]).to.deep.equal([
        ['10'],
        ['5'],
        ['0'],
      ]);
    });

    it('admits 5 half an hour after a full one, and keeps counting them an hour on', async () => {
      await at(59, { cost: 10 });
      expect(await at(90, { cost: 5 })).to.deep.equal(['10']);
      expect(await at(90)).to.deep.equal(['10 over']);
      expect(await at(150, { cost: 0 })).to.deep.equal(['3']);
    });

    it('tells to the microsecond when a refused hit will be admitted', async () => {
      await at(59, { cost: 10 });
      const atUs = NOW_US + HOUR_US;
      const one = (us: number) => slidingHit('a', { atUs: us });
      const resetUs = await resetOf(one(atUs), atUs);
      expect(resetUs).to.equal(HOUR_US / 10);
      expect((await take([one(atUs)], 'always', atUs + resetUs - 1))[0]).to.contain('over');
      expect(await take([one(atUs)], 'always', atUs + resetUs)).to.deep.equal(['10']);
    });
  });

  describe('a bucket that regains a hit a year', () => {
    it('tells a refused hit to come in a year, one of 3 in 3 years, and when admitted when it is full', async () => {
      expect(await resetOf(bucketHit('a', { cost: 10 }))).to.be.within(10 * YEAR_US, 10 * YEAR_US + 1);
      // A test on a real server takes a while, and a bucket has regained as much.
      expect(await resetOf(bucketHit('a'))).to.be.within(YEAR_US - 60_000_000, YEAR_US);
      await take([bucketHit('a', { cost: -1 })]);
      expect(await resetOf(bucketHit('a', { cost: 4 }))).to.be.within(3 * YEAR_US - 60_000_000, 3 * YEAR_US);
    });
  });
}
