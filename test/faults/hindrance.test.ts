import { expect } from 'chai';
import { hinderedMs, type Sample } from '../support/hindrance.ts';

const at = (atMs: number, lateMs = 0, waitedMs = 0): Sample => ({ atMs, lateMs, waitedMs });

describe('what is not held against a service', () => {
  it('is how late this process was and how long the other waited, while a call was under way', () => {
    const samples = [at(0), at(5), at(25, 15), at(30, 0, 3), at(35)];
    expect(hinderedMs(samples, 6, 33)).to.equal(18);
    expect(hinderedMs(samples, 26, 33)).to.equal(3);
    expect(hinderedMs(samples, 31, 33)).to.equal(0);
  });

  it('is counted once when both were kept waiting at once: 20 ms of 20', () => {
    expect(hinderedMs([at(0), at(20, 15, 18)], 0, 10)).to.equal(20);
  });
});
