import { expect } from 'chai';
import { buckets, observe } from '../../../src/telemetry/buckets.ts';
import { boundsUs, mappedFamilies } from '../../../src/telemetry/mapping/mapped-families.ts';
import { mapper } from '../../../src/telemetry/mapping/mapper.ts';
import { readMappings } from '../../../src/telemetry/mapping/mapping-file.ts';
import type { Stat } from '../../../src/telemetry/stats.ts';

function told(mappings: string, stats: readonly Stat[], tags = {}) {
  const conflicts: string[] = [];
  const onConflict = (name: string) => void conflicts.push(name);
  const families = mappedFamilies(stats, { mapper: mapper(readMappings(mappings)), tags, onConflict });
  const series = families.flatMap(({ name, type, values }) =>
    values.map((it) => `${type} ${it.metricName ?? name} ${JSON.stringify(it.labels)} ${it.value}`),
  );
  return { series, conflicts, families };
}
const counter = (name: string, value: number): Stat => ({ kind: 'counter', name, value });

describe('families of a mapping', () => {
  it('add up what comes to one name and labels, scaled', () => {
    const text = `mappings: [{match: 'a.*.*', name: hits, help: Helps, scale: 10, labels: {first: $1}}]`;
    const { series, families } = told(text, [counter('a.b.c', 1), counter('a.b.d', 2), counter('a.x.c', 3)]);
    expect(series).to.deep.equal(['counter hits {"first":"b"} 30', 'counter hits {"first":"x"} 30']);
    expect(families[0]?.help).to.equal('Helps');
  });

  it('leave out, and tell of, a second kind under one name', () => {
    const text = `mappings: [{match: 'a.*', name: one}]`;
    const { series, conflicts } = told(text, [counter('a.b', 1), { kind: 'gauge', name: 'a.g', value: 7 }]);
    expect(series).to.deep.equal(['counter one {} 1']);
    expect(conflicts).to.deep.equal(['one']);
  });

  it('give a tag of the same name the word only with honor_labels', () => {
    const of = (more: string) =>
      told(`mappings: [{match: 'a.*', name: n, labels: {az: $1, k: v}${more}}]`, [counter('a.b', 1)], { az: 'tag' })
        .series;
    expect(of('')).to.deep.equal(['counter n {"az":"b","k":"v"} 1']);
    expect(of(', honor_labels: true')).to.deep.equal(['counter n {"az":"tag","k":"v"} 1']);
  });

  it('leave le and quantile of a histogram and a summary to Prometheus, and give a counter any label', () => {
    const times = buckets([5_000]);
    observe(times, 1);
    const of = (type: string) =>
      told(
        `mappings: [{match: '*', name: n, labels: {le: a, quantile: b, k: v}, observer_type: ${type}, buckets: [5]}]`,
        [{ kind: 'timer', name: 't', times }],
      ).series;
    expect(of('histogram')).to.deep.equal([
      'histogram n_bucket {"k":"v","le":"5"} 1',
      'histogram n_bucket {"k":"v","le":"+Inf"} 1',
      'histogram n_sum {"k":"v"} 0.001',
      'histogram n_count {"k":"v"} 1',
    ]);
    expect(of('summary')).to.deep.equal(['summary n_sum {"k":"v"} 0.001', 'summary n_count {"k":"v"} 1']);
    const counters = told("mappings: [{match: '*', name: n, labels: {le: a}}]", [counter('c', 1)]).series;
    expect(counters).to.deep.equal(['counter n {"le":"a"} 1']);
  });

  it('make exact histograms of times, whatever their buckets, in milliseconds or scaled to seconds', () => {
    for (const [scale, unit] of [
      [1, 1],
      [0.001, 0.001],
    ] as const) {
      const bounds = [0.7, 3.3, 5].map((ms) => ms * unit);
      const text = `mappings: [{match: t, name: t, observer_type: histogram, scale: ${scale}, histogram_options: {buckets: [${bounds}]}}]`;
      const made = mapper(readMappings(text));
      const times = buckets([...new Set([1_000, ...boundsUs(made)])].sort((a, b) => a - b));
      for (const us of [700, 701, 3_300, 5_000, 9_000]) observe(times, us);
      const { series } = told(text, [{ kind: 'timer', name: 't', times }]);
      expect(series).to.deep.equal([
        `histogram t_bucket {"le":"${bounds[0]}"} 1`,
        `histogram t_bucket {"le":"${bounds[1]}"} 3`,
        `histogram t_bucket {"le":"${bounds[2]}"} 4`,
        'histogram t_bucket {"le":"+Inf"} 5',
        `histogram t_sum {} ${18_701 * (scale / 1_000)}`,
        'histogram t_count {} 5',
      ]);
    }
  });

  it('make summaries of times without an observer_type: sum and count', () => {
    const times = buckets([1_000]);
    observe(times, 500);
    expect(told('', [{ kind: 'timer', name: 'a.t', times }]).series).to.deep.equal([
      'summary a_t_sum {} 0.5',
      'summary a_t_count {} 1',
    ]);
  });
});
