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

  it('tells 1,000 times in a row that never go back', () => {
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

    it('stands still when it goes back by 5 s, and goes on when it has caught up; goes back with it by more', () => {
      let passedMs = 5_000;
      let wallMs = 1_795_219_200_000;
      performance.now = () => passedMs;
      Date.now = () => wallMs;
      const clock = systemClock();
      const later = (passMs: number, wall: number): number => {
        passedMs += passMs;
        wallMs += wall;
        return clock.nowUs() - 1_795_219_200_000_000;
      };
      expect(later(0, 0)).to.equal(0);
      expect([later(1_001, 1_001 - 5_000), later(2_000, 2_000), later(2_000, 2_000)]).to.deep.equal([0, 0, 1_000]);
      expect(later(1_001, 1_001 - 3_600_000)).to.equal(1_000 + 1_001_000 - 3_600_000_000);
    });
  });
});
