import { expect } from 'chai';
import { buckets, observe } from '../../src/telemetry/buckets.ts';
import { histogram } from '../../src/telemetry/exposition.ts';

describe('buckets', () => {
  it('puts a value that equals a bound under that bound, and one above all into the last', () => {
    const times = buckets([10, 100]);
    for (const value of [0, 10, 11, 100, 101]) observe(times, value);
    expect([...times.counts]).to.deep.equal([2, 2, 1]);
    expect(times.sums.reduce((sum, each) => sum + each, 0)).to.equal(222);
  });

  it('tells microseconds as seconds, cumulative, with +Inf equal to the count', () => {
    const times = buckets([50, 1000]);
    for (const value of [40, 60, 70, 2_000_000]) observe(times, value);
    const told = histogram('t', times, 1e6).map(({ metricName, labels, value }) => [metricName, labels.le, value]);
    expect(told).to.deep.equal([
      ['t_bucket', '0.00005', 1],
      ['t_bucket', '0.001', 3],
      ['t_bucket', '+Inf', 4],
      ['t_sum', undefined, 2.00017],
      ['t_count', undefined, 4],
    ]);
  });
});
