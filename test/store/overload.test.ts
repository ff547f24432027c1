import { expect } from 'chai';
import { loopLag } from '../../src/loop-lag.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { overload } from '../../src/store/overload.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';

function blockFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('overload', () => {
  it('passes calls on at a lag of 100 ms, refuses them as busy at 101 ms, and passes them on again', async () => {
    let lagMs = 100;
    const store = overload(memoryStore(), { lagMs: () => lagMs, maxLagMs: 100 });
    expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
    lagMs = 101;
    const error = await store.take([hit('a')], 'always', NOW_US).catch((thrown: unknown) => thrown);
    expect(error).to.include({ name: 'StoreError', code: 'busy', message: 'the event loop is 101 ms late' });
    lagMs = 0;
    expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([2]);
  });
});

describe('loop lag', () => {
  it('is seen during a block of 300 ms and after it, and is over with the next tick in time', async () => {
    const lag = loopLag();
    await lag.start();
    try {
      blockFor(300);
      expect(lag.lagMs()).to.be.above(250);
      await new Promise((turned) => setImmediate(turned));
      await eventually('the lag to be over', () => lag.lagMs() < 250);
    } finally {
      await lag.stop();
    }
    expect(lag.lagMs()).to.equal(0);
  });

  it('is 0 before the start, and starts and stops twice as once', async () => {
    const lag = loopLag();
    await lag.stop();
    expect(lag.lagMs()).to.equal(0);
    await Promise.all([lag.start(), lag.start()]);
    await Promise.all([lag.stop(), lag.stop()]);
    expect(lag.lagMs()).to.equal(0);
  });
});
