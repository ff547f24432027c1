import { expect } from 'chai';
import { type Buckets, buckets, observe } from '../../../src/telemetry/buckets.ts';
import type { Stat } from '../../../src/telemetry/stats.ts';
import { type Due, increments } from '../../../src/telemetry/statsd/increments.ts';

const counter = (name: string, value: number): Stat => ({ kind: 'counter', name, value });
const short = ({ name, value, type }: Due) => `${name} ${value} ${type}`;

describe('increments', () => {
  it('tells 5, then the 2 that came since, then nothing', () => {
    const due = increments();
    expect([...due.since([counter('a', 5)])].map(short)).to.deep.equal(['a 5 c']);
    expect([...due.since([counter('a', 7)])].map(short)).to.deep.equal(['a 2 c']);
    expect([...due.since([counter('a', 7)])]).to.deep.equal([]);
  });

  it('adds up stats of one name', () => {
    const due = increments();
    expect([...due.since([counter('a', 5), counter('a', 1)])].map(short)).to.deep.equal(['a 6 c']);
    expect([...due.since([counter('a', 5), counter('a', 2)])].map(short)).to.deep.equal(['a 1 c']);
  });

  it('tells a series that was dropped and began anew from its beginning', () => {
    const due = increments();
    [...due.since([counter('a', 5)])];
    [...due.since([])];
    expect([...due.since([counter('a', 2)])].map(short)).to.deep.equal(['a 2 c']);
    expect([...due.since([counter('a', 1)])].map(short)).to.deep.equal(['a 1 c']);
  });

  it('keeps what was not asked for: of 3 lines, the 2nd and 3rd after a stop behind the 1st', () => {
    const due = increments();
    const all = [counter('a', 1), counter('b', 2), counter('c', 3)];
    const taken: string[] = [];
    for (const each of due.since(all)) {
      if (taken.length === 1) break;
      taken.push(short(each));
    }
    expect(taken).to.deep.equal(['a 1 c']);
    expect([...due.since(all)].map(short)).to.deep.equal(['b 2 c', 'c 3 c']);
  });

  it('tells a gauge each time', () => {
    const due = increments();
    const gauge: Stat = { kind: 'gauge', name: 'g', value: 0 };
    for (const _ of [1, 2]) expect([...due.since([gauge])].map(short)).to.deep.equal(['g 0 g']);
  });
});

describe('increments of times', () => {
  const timer = (times: Buckets): Stat => ({ kind: 'timer', name: 't', times });
  const sums = (list: readonly Due[]) => ({
    calls: list.reduce((sum, { weight }) => sum + weight, 0),
    ms: list.reduce((sum, { weight, value }) => sum + weight * value, 0),
  });

  it('are a line for each of 3 calls, in milliseconds, the mean of their bucket', () => {
    const due = increments();
    const times = buckets([1_000, 10_000]);
    for (const us of [400, 600, 5_000]) observe(times, us);
    const list = [...due.since([timer(times)])];
    expect(list.map(({ value, weight }) => [value, weight])).to.deep.equal([
      [0.5, 1],
      [0.5, 1],
      [5, 1],
    ]);
    expect([...due.since([timer(times)])]).to.deep.equal([]);
  });

  it('are about 100 lines for 12,345 calls, whose weights and sums are those of the calls', () => {
    const due = increments();
    const times = buckets([1_000, 10_000]);
    for (let i = 0; i < 12_345; i++) observe(times, (i % 20) * 1_000);
    const list = [...due.since([timer(times)])];
    expect(list.length).to.be.within(95, 105);
    expect(sums(list).calls).to.equal(12_345);
    expect(sums(list).ms).to.be.closeTo(times.sums.reduce((a, b) => a + b) / 1_000, 1e-6);
  });

  it('go on where they were stopped', () => {
    const due = increments();
    const times = buckets([1_000]);
    for (let i = 0; i < 1_000; i++) observe(times, i);
    const first = due.since([timer(times)]);
    const taken = [first.next(), first.next(), first.next()].map(({ value }) => value as Due);
    first.return(undefined);
    // The third was handed out and nobody asked for more: it counts as not told.
    const rest = [...due.since([timer(times)])];
    expect(sums([...taken.slice(0, 2), ...rest]).calls).to.equal(1_000);
    expect(sums([...taken.slice(0, 2), ...rest]).ms).to.be.closeTo(499.5, 1e-6);
  });
});
