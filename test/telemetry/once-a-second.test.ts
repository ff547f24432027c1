import { expect } from 'chai';
import { onceASecond } from '../../src/telemetry/once-a-second.ts';

/** Delays that pass when the test says so. */
function manualDelay() {
  let waiting: { ms: number; task: () => void }[] = [];
  return {
    delay: (ms: number, task: () => void) => void waiting.push({ ms, task }),
    get waiting() {
      return waiting.length;
    },
    pass() {
      const due = waiting;
      waiting = [];
      for (const { ms, task } of due) {
        expect(ms).to.equal(1000);
        task();
      }
    },
  };
}

function teller() {
  const clock = manualDelay();
  const told: string[] = [];
  const failures = onceASecond<string>((detail, count) => told.push(`${count} ${detail}`), clock.delay);
  return { clock, told, failures };
}

describe('once a second', () => {
  it('tells the first failure at once', () => {
    const { told, failures } = teller();
    failures.happened('store', 'a');
    expect(told).to.deep.equal(['1 a']);
  });

  it('tells the next 5,000 in one line with their count and the newest detail', () => {
    const { clock, told, failures } = teller();
    failures.happened('store', 'first');
    for (let i = 1; i <= 5000; i++) failures.happened('store', `number ${i}`);
    clock.pass();
    expect(told).to.deep.equal(['1 first', '5000 number 5000']);
  });

  it('tells one line a second as long as it goes on, and stops its clock when a second is quiet', () => {
    const { clock, told, failures } = teller();
    for (let second = 0; second < 3; second++) {
      failures.happened('store', `s${second}`);
      clock.pass();
    }
    expect(told).to.deep.equal(['1 s0', '1 s1', '1 s2']);
    clock.pass();
    expect(clock.waiting).to.equal(0);
    failures.happened('store', 'again');
    expect(told.at(-1)).to.equal('1 again');
  });

  it('keeps kinds apart, up to 64; those beyond share a line', () => {
    const { clock, told, failures } = teller();
    for (let i = 0; i < 1000; i++) failures.happened(`kind ${i}`, `d${i}`);
    expect(told).to.have.length(65);
    clock.pass();
    expect(told.slice(65)).to.deep.equal(['935 d999']);
  });

  it('tells what was held back when flushed, once', () => {
    const { clock, told, failures } = teller();
    for (const detail of ['a', 'b', 'c']) failures.happened('store', detail);
    failures.flush();
    clock.pass();
    expect(told).to.deep.equal(['1 a', '2 c']);
  });
});
