import { expect } from 'chai';
import { readMappings } from '../../../src/telemetry/mapping/mapping-file.ts';

/** The lines of the refusal; [] when there is none. */
function wrong(text: string): string[] {
  try {
    readMappings(text);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

describe('a mapping file', () => {
  it('may be empty, or hold only defaults', () => {
    for (const text of ['', '# nothing', 'mappings:', 'mappings: []', 'defaults: {ttl: 5m}']) {
      expect(readMappings(text).mappings, text).to.deep.equal([]);
    }
  });

  it('takes its defaults, and the older names of its keys', () => {
    const { mappings, warnings } = readMappings(`
defaults: {timer_type: histogram, buckets: [1, 2], match_type: regex}
mappings:
  - {match: 'a(.)', name: one}
  - {match: b, match_type: glob, name: two, timer_type: summary, quantiles: [{quantile: 0.9, error: 0.1}]}
  - {match: c, name: three, histogram_options: {buckets: [0.5]}, match_metric_type: timer, ttl: 1m}`);
    expect(mappings.map(({ bounds }) => bounds)).to.deep.equal([[1, 2], null, [0.5]]);
    expect(mappings.map(({ regex }) => regex !== null)).to.deep.equal([true, false, true]);
    expect(mappings.map(({ kind }) => kind)).to.deep.equal([null, null, 'observer']);
    expect(warnings).to.deep.equal([]);
  });

  it('gives histograms the buckets of Prometheus when it names none', () => {
    const [mapping] = readMappings('mappings: [{match: a, name: b, observer_type: histogram}]').mappings;
    expect(mapping?.bounds).to.deep.equal([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]);
  });

  it('is warned about for keys that nobody knows, by their place', () => {
    const { warnings } = readMappings('default: {}\nmappings: [{match: a, name: b, lables: {}}]');
    expect(warnings).to.deep.equal(["the file: there is no key 'default'", "mapping 1: there is no key 'lables'"]);
  });

  it('is refused with a line for each mistake', () => {
    expect(
      wrong(`
mappings:
  - name: a
  - {match: 'a..b', name: a}
  - {match: a}
  - {match: a, name: 'a b'}
  - {match: '(', match_type: regex, name: a}
  - {match: a, name: a, action: keep}
  - {match: a, name: a, match_metric_type: set}
  - {match: a, name: a, labels: {1a: x}}
  - {match: a, name: a, labels: [x]}
  - {match: a, name: a, scale: fast}
  - {match: a, name: a, observer_type: histogram, buckets: [2, 1]}
  - nothing
  - {match: a, name: a, labels: {__name__: x}}
  - {match: a, name: a, scale: .inf}`).map((line) => line.replace(/error parsing.*/, '...')),
    ).to.deep.equal([
      'mapping 1: match is missing',
      "mapping 2: 'a..b' is not a glob: words and stars between dots",
      'mapping 3: name is missing',
      "mapping 4: 'a b' is not the name of a metric",
      "mapping 5: '(' is not a regular expression: ...",
      'mapping 6: action: expected one of map, drop',
      'mapping 7: match_metric_type: expected one of counter, gauge, observer, timer',
      "mapping 8: '1a' is not the name of a label",
      'mapping 9: labels: expected a map',
      'mapping 10: scale: expected a number above 0',
      'mapping 11: buckets: expected ascending numbers',
      'mapping 12: expected a map',
      "mapping 13: '__name__': Prometheus keeps labels that begin with __ for itself",
      'mapping 14: scale: expected a number above 0',
    ]);
    expect(wrong('mappings: {a: b}')).to.deep.equal(['mappings: expected a list']);
    expect(wrong('a: [')).to.have.length.greaterThan(0);
    expect(wrong('[]')).to.deep.equal(['the file: expected a map']);
  });
});
