import { expect } from 'chai';
import { Gauge, Histogram, Registry } from 'prom-client';
import { type Metrics, metrics } from '../../src/telemetry/metrics.ts';
import { exposed, remains, summed, type Told, type ToldFamily, toldBy } from '../../src/telemetry/summed.ts';
import { rule } from '../support/rule.ts';
import { charged, counted, decision, hit, ruleset } from './decisions.ts';

function family(name: string, more: Partial<ToldFamily>, ...values: readonly number[]): ToldFamily {
  const series = values.map((_, i) => `{i="${i}"}`);
  return { name, help: 'h', type: 'gauge', aggregator: 'sum', series, values, ...more };
}

function valuesOf(told: Told): Record<string, readonly number[]> {
  return Object.fromEntries(told.map(({ name, values }) => [name, values]));
}

describe('what several processes tell', () => {
  it('is added up by series, but for ages, ends and what is the same in all', () => {
    const process = (n: number): Told => [
      family('count', { type: 'counter' }, n, 10 * n),
      family('flight', {}, n),
      family('expiry', { aggregator: 'min' }, n),
      family('info', { aggregator: 'max' }, 1),
      family('lag', { aggregator: 'average' as 'max' }, n),
      family('began', { aggregator: 'omit' as 'max' }, n),
    ];
    const [one, two, three] = [1, 2, 3].map(process) as [Told, Told, Told];
    expect(valuesOf(summed([two, one, three]))).to.deep.equal({
      count: [6, 60],
      flight: [6],
      expiry: [1],
      info: [1],
      lag: [3],
      began: [2],
    });
  });

  it('has the series that only one of them tells', () => {
    expect(valuesOf(summed([[family('a', {}, 1)], [family('b', {}, 2)]]))).to.deep.equal({ a: [1], b: [2] });
    expect(summed([])).to.deep.equal([]);
  });

  it('keeps what a process that has ended had counted, and not what it had at hand', () => {
    const left = remains();
    const report = [
      family('count', { type: 'counter' }, 5),
      family('time', { type: 'histogram' }, 7),
      family('looked', { aggregator: 'kept' }, 9),
      family('flight', {}, 3),
    ];
    left.add(report);
    left.add(report);
    expect(valuesOf(left.told)).to.deep.equal({ count: [10], time: [14], looked: [18] });
  });

  it('tells 0.1 s, 0.2 s and 0.3 s as 0.6 s, whichever of three processes has ended', () => {
    const three = [0.1, 0.2, 0.3].map((seconds) => [family('time', { type: 'histogram' }, seconds)]);
    for (const ended of three) {
      const left = remains();
      left.add(ended);
      expect(valuesOf(summed([...three.filter((each) => each !== ended), left.told]))).to.deep.equal({ time: [0.6] });
    }
  });

  it('keeps at most as many series as there is room for', () => {
    const left = remains(3);
    left.add([family('a', { type: 'counter' }, 1, 1), family('b', { type: 'counter' }, 1, 1)]);
    expect(valuesOf(left.told)).to.deep.equal({ a: [1, 1], b: [1] });
  });

  it('makes of two real processes the page of one that did the work of both', async () => {
    const k = rule('shop.k');
    const set = ruleset(['shop'], [k]);
    const busy = (decisions: number) => {
      const made = metrics({ nearLimitRatio: 0.8, process: false, version: '1', extraTags: { 'my-team': 'a' } });
      for (let i = 0; i < decisions; i++) made.decided(decision('shop', set, [charged(k, counted(1), hit(2))]), 300);
      made.called('ShouldRateLimit', 700);
      return made;
    };
    const whole = busy(5);
    whole.called('ShouldRateLimit', 700);
    const told = ({ registry, tags }: Metrics) => toldBy(registry, tags);
    const sum = exposed(summed([await told(busy(2)), await told(busy(3))]));
    expect(sum).to.equal(await whole.registry.metrics());
    expect(sum).to.include('ratelimit_service_rate_limit_total_hits{domain="shop",key1="k",my_team="a"} 10');
  });

  it('is written as prom-client writes it: quotes, backslashes, ends of lines, no numbers, and tags that are labels too', async () => {
    const registry = new Registry();
    const labels = { domain: 'a"b\\c\nd', n: 5 };
    const aggregator = 'sum' as const;
    const gauge = new Gauge({
      name: 'g',
      help: 'h\\ "q"\n',
      labelNames: ['domain', 'n'],
      registers: [registry],
      aggregator,
    });
    gauge.set(labels, Number.NaN);
    gauge.set({ ...labels, n: 6 }, Number.NEGATIVE_INFINITY);
    gauge.set({ ...labels, n: 7 }, Number.POSITIVE_INFINITY);
    gauge.set({ n: 8 }, 1e21);
    const time = new Histogram({ name: 't', help: 'h', buckets: [0.1, 1], registers: [registry] });
    time.observe(0.5);
    const tags = { team: 'x"y', domain: 'mine', constructor: 'z' };
    registry.setDefaultLabels(tags);
    expect(exposed(await toldBy(registry, tags))).to.equal(await registry.metrics());
  });
});
