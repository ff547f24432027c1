import { expect } from 'chai';
import { mapper } from '../../../src/telemetry/mapping/mapper.ts';
import { readMappings, type StatKind } from '../../../src/telemetry/mapping/mapping-file.ts';

function placed(mappings: string, name: string, kind: StatKind = 'counter') {
  const place = mapper(readMappings(mappings)).place(name, kind);
  return place === null ? 'dropped' : [place.name, place.labels];
}
const list = (...mappings: string[]) => `mappings:\n${mappings.map((it) => `  - {${it}}`).join('\n')}`;

describe('a mapper', () => {
  it('takes a star for one component, and names what it took', () => {
    const text = list(`match: 'a.*.c.*', name: 'n_\${2}_x', labels: {one: $1, both: '\${1}-$2', all: $0, none: $3}`);
    expect(placed(text, 'a.b.c.d')).to.deep.equal(['n_d_x', { one: 'b', both: 'b-d', all: 'a.b.c.d' }]);
    expect(placed(text, 'a.b.c.d.e')).to.deep.equal(['a_b_c_d_e', {}]);
    expect(placed(text, 'a.b.c')).to.deep.equal(['a_b_c', {}]);
  });

  it('takes the first glob that fits, before any regular expression', () => {
    const text = list(`match: '.*', match_type: regex, name: re`, `match: 'a.*', name: star`, 'match: a.b, name: word');
    expect(placed(text, 'a.b')).to.deep.equal(['star', {}]);
    expect(placed(text, 'x')).to.deep.equal(['re', {}]);
  });

  it('takes the most specific glob with glob_disable_ordering', () => {
    const text = `defaults: {glob_disable_ordering: true}\n${list(`match: 'a.*', name: star`, 'match: a.b, name: word')}`;
    expect(placed(text, 'a.b')).to.deep.equal(['word', {}]);
    expect(placed(text, 'a.c')).to.deep.equal(['star', {}]);
  });

  it('expands regular expressions as Go does', () => {
    const text = list(`match: 'x(.)(?P<word>y*)', match_type: regex, name: '$1_a', labels: {l: '$\${word}$$1'}`);
    expect(placed(text, 'axbyyc')).to.deep.equal(['', { l: `\${word}$1` }]);
    const braced = list(
      `match: 'x(.)(?P<word>y*)', match_type: regex, name: '\${1}_a', labels: {l: '\${word}$nobody'}`,
    );
    expect(placed(braced, 'axbyyc')).to.deep.equal(['b_a', { l: 'yy' }]);
  });

  it('drops, and goes on when the kind is another', () => {
    const text = list(
      'match: a, match_metric_type: gauge, name: gauge',
      'match: a, match_metric_type: observer, name: time',
      `match: '.', match_type: regex, action: drop, name: dropped`,
    );
    expect(placed(text, 'a', 'gauge')).to.deep.equal(['gauge', {}]);
    expect(placed(text, 'a', 'observer')).to.deep.equal(['time', {}]);
    expect(placed(text, 'a', 'counter')).to.equal('dropped');
  });

  it('makes a name of what no mapping knows', () => {
    expect(placed('', '1.b-c.ä')).to.deep.equal(['_1_b_c__', {}]);
  });

  it('forgets what was not asked for between two sweeps', () => {
    const m = mapper(readMappings(''));
    const first = m.place('a', 'counter');
    m.sweep();
    expect(m.place('a', 'counter')).to.equal(first);
    m.sweep();
    m.sweep();
    expect(m.place('a', 'counter')).to.not.equal(first);
  });
});
