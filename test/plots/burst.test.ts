import { expect } from 'chai';
import { admitted, LIMIT, mostWithin, WINDOW_SECONDS } from './burst.ts';

const MINUTE_MS = WINDOW_SECONDS * 1_000;

describe('a burst over the edge of a window', () => {
  it('gets 200 hits of 100 a minute through a fixed window in 10 seconds', async () => {
    expect(mostWithin(await admitted('fixed_window'), 10_000)).to.equal(2 * LIMIT);
  });

  it('gets at most the limit and 5 s of it through a sliding window: 108, by its stated bound', async () => {
    const most = mostWithin(await admitted('sliding_window'), 10_000);
    expect(most).to.be.at.least(LIMIT);
    expect(most).to.be.at.most(LIMIT * (1 + 5 / WINDOW_SECONDS));
  });

  it('gets at most the burst and what flows in meanwhile through a token bucket: 116 in 10 s', async () => {
    const most = mostWithin(await admitted('token_bucket'), 10_000);
    expect(most).to.be.at.least(LIMIT);
    expect(most).to.be.at.most(LIMIT + (10 / WINDOW_SECONDS) * LIMIT);
  });

  it('gets one hit each 600 ms through a leaky bucket, 17 in 10 s, and never more than 100 a minute', async () => {
    const times = await admitted('leaky_bucket');
    expect(mostWithin(times, 10_000)).to.be.within(15, 17);
    expect(mostWithin(times, MINUTE_MS)).to.be.within(80, LIMIT);
  });
});
