import { expect } from 'chai';
import { TooLate, within } from '../../src/within.ts';

describe('a promise with a deadline', () => {
  it('gives up what never ends, after 1 ms', async () => {
    const error = await within(1, new Promise(() => {})).catch((late: unknown) => late);
    expect(error).to.be.instanceOf(TooLate).with.property('message', 'took longer than 1 ms');
  });

  it('gives what is there in time, an error too', async () => {
    expect(await within(10_000, Promise.resolve(7))).to.equal(7);
    const broken = new Error('broken');
    expect(await within(10_000, Promise.reject(broken)).catch((error: unknown) => error)).to.equal(broken);
  });

  it('gives what came while the process was busy beyond the deadline', async () => {
    const soon = new Promise((resolve) => setImmediate(resolve, 'here'));
    const answer = within(1, soon);
    const end = performance.now() + 20;
    while (performance.now() < end);
    expect(await answer).to.equal('here');
  });
});
