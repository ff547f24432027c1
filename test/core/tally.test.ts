import { expect } from 'chai';
import fc from 'fast-check';
import type { Reading } from '../../src/core/decision.ts';
import { addToTally, nearLimitOf, type Tally } from '../../src/core/tally.ts';

const counted = (used: number): Reading => ({ kind: 'counted', used, charged: true, by: 'memory' });
const uncharged = (used: number, over: boolean): Reading => ({
  kind: 'counted',
  used,
  charged: false,
  over,
  by: 'memory',
});
const cached: Reading = { kind: 'assumed', outcome: 'over_limit', because: 'over_limit_cache' };
const empty = (): Tally => ({ overLimit: 0, nearLimit: 0, withinLimit: 0, overLimitWithLocalCache: 0, shadowMode: 0 });

function tallyOf(reading: Reading, cost: number, { limit = 10, ratio = 0.8, shadow = false } = {}): Tally {
  const tally = empty();
  addToTally(tally, reading, cost, limit, ratio, shadow);
  return tally;
}

describe('tally', () => {
  it('counts the 8th of 10 as within, the 9th as within and near, the 11th as over', () => {
    expect(tallyOf(counted(8), 1)).to.include({ withinLimit: 1, nearLimit: 0, overLimit: 0 });
    expect(tallyOf(counted(9), 1)).to.include({ withinLimit: 1, nearLimit: 1, overLimit: 0 });
    expect(tallyOf(counted(11), 1)).to.include({ withinLimit: 0, nearLimit: 0, overLimit: 1 });
  });

  it('splits 7 hits from 6 to 13 of 10 into 2 near and 3 over', () => {
    expect(tallyOf(counted(13), 7)).to.include({ withinLimit: 0, nearLimit: 2, overLimit: 3 });
  });

  it('splits 4 hits from 6 to 10 of 10 into 4 within and 2 near', () => {
    expect(tallyOf(counted(10), 4)).to.include({ withinLimit: 4, nearLimit: 2, overLimit: 0 });
  });

  it('counts every hit as over once the limit was reached before', () => {
    expect(tallyOf(counted(15), 5)).to.include({ withinLimit: 0, nearLimit: 0, overLimit: 5 });
  });

  it('counts nothing of 4 hits that were not charged because a sibling was refused', () => {
    expect(tallyOf(uncharged(9, false), 4)).to.deep.equal(empty());
  });

  it('counts all of 5 hits as over that were refused at 8 of 10 and not charged', () => {
    expect(tallyOf(uncharged(8, true), 5)).to.deep.equal({ ...empty(), overLimit: 5 });
    expect(tallyOf(uncharged(8, true), 5, { shadow: true })).to.include({ overLimit: 5, shadowMode: 5 });
  });

  it('counts a hit on the over-limit cache as over, and apart', () => {
    expect(tallyOf(cached, 3)).to.deep.equal({ ...empty(), overLimit: 3, overLimitWithLocalCache: 3 });
  });

  it('counts what is over under a shadow rule as shadow too, from the cache as well', () => {
    expect(tallyOf(counted(13), 7, { shadow: true })).to.include({ overLimit: 3, shadowMode: 3 });
    expect(tallyOf(cached, 2, { shadow: true })).to.include({ overLimit: 2, shadowMode: 2 });
    expect(tallyOf(counted(5), 1, { shadow: true })).to.include({ withinLimit: 1, shadowMode: 0 });
  });

  it('counts nothing for a refund and nothing for a look', () => {
    expect(tallyOf(counted(3), -4)).to.deep.equal(empty());
    expect(tallyOf(counted(11), 0)).to.deep.equal(empty());
    expect(tallyOf(counted(9), 0)).to.deep.equal(empty());
  });

  it('computes the near limit in float32: 0.7 of 16777217 is 11744051', () => {
    expect(nearLimitOf(16_777_217, 0.7)).to.equal(11_744_051);
    expect(nearLimitOf(10, 0.8)).to.equal(8);
    expect(nearLimitOf(1, 0.8)).to.equal(0);
    // Doubles would say 28.
    expect(nearLimitOf(100, 0.29)).to.equal(29);
  });

  it('never counts a hit as within and over at once, and counts no more hits than were asked', () => {
    const hits = fc.integer({ min: 0, max: 1000 });
    fc.assert(
      fc.property(hits, hits, hits, fc.double({ min: 0, max: 1, noNaN: true }), (used, cost, limit, ratio) => {
        const { overLimit, nearLimit, withinLimit } = tallyOf(counted(used), cost, { limit, ratio });
        expect(Math.min(overLimit, withinLimit)).to.equal(0);
        expect(overLimit).to.be.within(0, cost);
        expect(withinLimit).to.be.oneOf([0, cost]);
        expect(nearLimit).to.be.within(0, Math.max(cost, limit));
      }),
    );
  });
});
