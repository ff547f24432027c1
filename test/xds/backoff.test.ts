import { expect } from 'chai';
import { waitMs } from '../../src/xds/backoff.ts';

const OPTIONS = { retryMs: 3_000, initialMs: 10_000, maxMs: 60_000, jitter: 0.5 };

describe('the wait before a stream is opened again', () => {
  it('is 3 s at first, then 10 s, doubling to 60 s', () => {
    const waits = [1, 2, 3, 4, 5, 6, 1_000].map((failures) => waitMs(failures, OPTIONS, 0.5));
    expect(waits).to.deep.equal([3_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it('is up to half of itself shorter or longer with a factor of 0.5, and exact with 0', () => {
    expect([waitMs(1, OPTIONS, 0), waitMs(1, OPTIONS, 1)]).to.deep.equal([1_500, 4_500]);
    expect([0, 0.3, 0.99].map((random) => waitMs(2, { ...OPTIONS, jitter: 0 }, random))).to.deep.equal(
      Array(3).fill(10_000),
    );
  });

  it('is never shorter than 100 ms, and grows even from an initial interval of 0', () => {
    const none = { retryMs: 0, initialMs: 0, maxMs: 1_000, jitter: 1 };
    expect([1, 2, 3, 4, 9].map((failures) => waitMs(failures, none, 0.5))).to.deep.equal([100, 100, 200, 400, 1_000]);
    expect(waitMs(9, none, 0)).to.equal(100);
  });
});
