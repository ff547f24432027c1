import { expect } from 'chai';
import type { Due } from '../../../src/telemetry/statsd/increments.ts';
import { dogStatsdLine, statsdLine } from '../../../src/telemetry/statsd/lines.ts';
import { mogrify } from '../../../src/telemetry/statsd/mogrify.ts';

const hits: Due = { name: 'ratelimit.service.rate_limit.shop.ip_10_0_0_1.total_hits', value: 3, type: 'c', weight: 1 };
const TAGS = { team: 'edge', az: 'eu.1:b' };

describe('lines of statsd', () => {
  it('carry extra tags behind the name, sorted and without dots and colons', () => {
    expect(statsdLine({})(hits)).to.equal(`${hits.name}:3|c\n`);
    expect(statsdLine(TAGS)(hits)).to.equal(`${hits.name}.__az=eu_1_b.__team=edge:3|c\n`);
  });

  it('carry a rate that makes each weight from 1 to 5,000 whole again', () => {
    for (let weight = 1; weight <= 5_000; weight++) {
      const line = statsdLine({})({ name: 't', value: 0.5, type: 'ms', weight });
      const rate = Number(/@(\S+)/.exec(line)?.[1] ?? 1);
      expect(Math.trunc(1 / rate), line).to.equal(weight);
    }
  });
});

describe('lines of DogStatsD', () => {
  it('carry extra tags as tags', () => {
    expect(dogStatsdLine({}, mogrify([]))(hits)).to.equal(`${hits.name}:3|c\n`);
    expect(dogStatsdLine(TAGS, mogrify([]))(hits)).to.equal(`${hits.name}:3|c|#az:eu_1_b,team:edge\n`);
  });

  it('carry name and tags of the first mogrifier that fits, with what its groups took', () => {
    const list = [
      { key: 'NO', pattern: '^nothing$', name: 'never', tags: {} },
      {
        key: 'HITS',
        pattern: String.raw`^ratelimit\.service\.rate_limit\.([^.]+)\.(.*)\.([^.]+)$`,
        name: 'ratelimit.$3',
        tags: { domain: '$1', descriptor: '$2', all: '$0', none: '$7' },
      },
      { key: 'ANY', pattern: '.', name: 'never', tags: {} },
    ];
    expect(dogStatsdLine({ az: 'b' }, mogrify(list))(hits)).to.equal(
      `ratelimit.total_hits:3|c|#az:b,domain:shop,descriptor:ip_10_0_0_1,all:${hits.name},none:$7\n`,
    );
  });

  it('let no key end its tag, its field or its line', () => {
    const list = [{ key: 'A', pattern: '^k(.*)$', name: 'n', tags: { k: '$1' } }];
    const due: Due = { ...hits, name: 'ka,b:c|d#e' };
    expect(dogStatsdLine({}, mogrify(list))(due)).to.equal('n:3|c|#k:a_b_c_d_e\n');
  });

  it('are refused with a pattern that is none, by its name', () => {
    expect(() => mogrify([{ key: 'A', pattern: '(', name: 'n', tags: {} }])).to.throw(
      /^DOG_STATSD_MOGRIFIER_A_PATTERN: not a regular expression: /,
    );
  });

  it('take no longer for a pattern that backtracks elsewhere', () => {
    const evil = mogrify([{ key: 'A', pattern: '^(a+)+$', name: 'n', tags: {} }]);
    expect(evil(`${'a'.repeat(500)}!`).name).to.equal(`${'a'.repeat(500)}!`);
  });
});
