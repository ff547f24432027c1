import { expect } from 'chai';
import { systemClock } from '../../src/clock.ts';

describe('the system clock', () => {
  it("tells whole microseconds, between what the host's clock tells before and after", () => {
    const before = Date.now();
    const nowUs = systemClock().nowUs();
    const after = Date.now();
    expect(Number.isSafeInteger(nowUs)).to.equal(true);
    expect(nowUs).to.be.within(before * 1_000 - 1, after * 1_000);
  });

  it("tells 1,000 times in a row that never go back, but for a step of the host's clock", () => {
    const clock = systemClock();
    const times = Array.from({ length: 1_000 }, () => clock.nowUs());
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it('tells time finer than a millisecond', () => {
    const clock = systemClock();
    const fractions = new Set(Array.from({ length: 10_000 }, () => clock.nowUs() % 1_000));
    expect(fractions.size).to.be.above(1);
  });

  describe("when the host's clock is stepped", () => {
    const { now } = Date;
    const monotonic = performance.now;
    afterEach(() => {
      Date.now = now;
      performance.now = monotonic;
    });

    it('follows it within a second, and asks it no more than once a second', () => {
      let passedMs = 5_000;
      let asked = 0;
      let wallMs = 1_795_219_200_000;
      performance.now = () => passedMs;
      Date.now = () => {
        asked++;
        return wallMs;
      };
      const clock = systemClock();
      expect(clock.nowUs()).to.equal(1_795_219_200_000_000);
      passedMs += 0.25;
      expect(clock.nowUs()).to.equal(1_795_219_200_000_250);
      wallMs += 3_600_000;
      passedMs += 999;
      expect(clock.nowUs()).to.equal(1_795_219_200_999_250);
      expect(asked).to.equal(1);
      passedMs += 1;
      expect(clock.nowUs()).to.equal(1_795_222_800_000_000);
      expect(asked).to.equal(2);
    });
  });
});
