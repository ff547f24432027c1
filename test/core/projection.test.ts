import { expect } from 'chai';
import { judge } from '../../src/core/judge.ts';
import { plan } from '../../src/core/plan.ts';
import { type Projection, type ProjectionOptions, project, wholeSeconds } from '../../src/core/projection.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { rulesetOf } from '../rules/rules.ts';
import { counted } from '../telemetry/decisions.ts';
import { descriptor, matchesOf, request } from './asking.ts';

/** 2 s and 1 us into a minute. */
const NOW_US = 1_795_219_202_000_001;

const NAMES = { limit: 'RateLimit-Limit', remaining: 'RateLimit-Remaining', reset: 'RateLimit-Reset' };
const HEADERS: ProjectionOptions = { headerNames: NAMES, retryAfterName: '', dynamicMetadata: false };
const METADATA: ProjectionOptions = { headerNames: null, retryAfterName: '', dynamicMetadata: true };

const RULES = rulesetOf(`
domain: d
descriptors:
  - { key: minute, rate_limit: { unit: minute, requests_per_unit: 10 } }
  - { key: hour, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: shadow, shadow_mode: true, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { from: shadow } }
  - { key: free, rate_limit: { unlimited: true }, metadata: { from: free } }
  - { key: one, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { name: one, deep: { a: 1, list: [1] } } }
  - { key: two, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { name: two, deep: { a: 2, b: 3, list: [2] } } }
  - { key: flat, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { deep: no object, other: null } }
  - { key: odd, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { __proto__: { polluted: 1 } } }
  - { key: detailed, detailed_metric: true, rate_limit: { unit: hour, requests_per_unit: 10 }, metadata: { kept: 1 } }
`);

function projected(asked: CheckRequest, used: readonly number[], options: ProjectionOptions, rules: Ruleset = RULES) {
  const matches = matchesOf(rules, asked);
  const hits = plan(asked, matches, NOW_US, { keyPrefix: '', quotaMode: false });
  const modes = { shadowMode: false, quotaMode: false };
  return project(judge(asked, rules, matches, hits, used.map(counted), NOW_US, modes), options);
}

describe('projection: headers', () => {
  const headers = (asked: readonly string[], used: readonly number[], options = HEADERS): Projection['headers'] =>
    projected(request('d', asked), used, options).headers;

  it('are 10, 0 and 58 when 10 a minute is over 2 s and 1 us into the minute', () => {
    expect(headers(['minute=v'], [11])).to.deep.equal([
      { key: 'RateLimit-Limit', value: '10' },
      { key: 'RateLimit-Remaining', value: '0' },
      { key: 'RateLimit-Reset', value: '58' },
    ]);
  });

  it('are sent with OK too', () => {
    expect(headers(['minute=v'], [3]).map(({ value }) => value)).to.deep.equal(['10', '7', '58']);
  });

  it('have the names they are given, in the order limit, remaining, reset', () => {
    const headerNames = { limit: 'a', remaining: '', reset: 'c' };
    const named = headers(['minute=v'], [3], { ...HEADERS, headerNames });
    expect(named.map(({ key }) => key)).to.deep.equal(['a', '', 'c']);
  });

  it('speak of the limit that binds', () => {
    expect(headers(['minute=v', 'hour=v'], [3, 9]).map(({ value }) => value)).to.deep.equal(['10', '1', '3598']);
  });

  it('are none without a limit, for an unlimited rule, for a shadow rule alone, and when switched off', () => {
    expect(headers(['unmatched=v'], [])).to.deep.equal([]);
    expect(headers(['free=v'], [])).to.deep.equal([]);
    expect(headers(['shadow=v'], [11])).to.deep.equal([]);
    expect(headers(['minute=v'], [3], METADATA)).to.deep.equal([]);
  });

  it('tell a refused caller alone when to come back, by the name they are given', () => {
    const retry = { headerNames: null, retryAfterName: 'Retry-After', dynamicMetadata: false };
    expect(headers(['minute=v'], [11], retry)).to.deep.equal([{ key: 'Retry-After', value: '58' }]);
    expect(headers(['minute=v'], [10], retry)).to.deep.equal([]);
    expect(headers(['shadow=v'], [11], retry)).to.deep.equal([]);
    const all = headers(['minute=v'], [11], { ...retry, headerNames: NAMES });
    expect(all.map(({ key }) => key)).to.deep.equal([...Object.values(NAMES), 'Retry-After']);
  });

  it('round the time up: 1 us is 1 s, 1 s is 1 s, 1 s and 1 us is 2 s; 0 is 1 s', () => {
    expect([1, 1_000_000, 1_000_001, 0].map(wholeSeconds)).to.deep.equal([1, 1, 2, 1]);
  });
});

describe('projection: dynamic metadata', () => {
  // Through JSON, since merged objects have no prototype.
  const metadata = (asked: CheckRequest, used: readonly number[], rules: Ruleset = RULES) =>
    JSON.parse(JSON.stringify(projected(asked, used, METADATA, rules).metadata));

  it('is null when switched off', () => {
    expect(projected(request('d', ['one=v']), [1], HEADERS).metadata).to.equal(null);
  });

  it('tells the request as it was understood', () => {
    const all = [
      descriptor('minute=v other=w=x'),
      descriptor('hour=v', { hits: 3 }),
      descriptor('hour', { hits: 0, limit: { requestsPerUnit: 10, unit: 4 } }),
    ];
    expect(metadata(request('d', all, 5), [1, 1])).to.deep.equal({
      domain: 'd',
      descriptors: [
        { entries: ['minute=v', 'other=w=x'] },
        { entries: ['hour=v'], hitsAddend: 3 },
        { entries: ['hour='], limit: 'requests_per_unit:10 unit:DAY', hitsAddend: 0 },
      ],
      hitsAddend: 5,
    });
  });

  const overrides: readonly (readonly [requests: number, unit: number, text: string])[] = [
    [10, 4, 'requests_per_unit:10 unit:DAY'],
    [0, 1, 'unit:SECOND'],
    [1, 5, 'requests_per_unit:1 unit:MONTH'],
    [1, 7, 'requests_per_unit:1 unit:7'],
  ];
  for (const [requestsPerUnit, unit, text] of overrides) {
    it(`writes an override of ${requestsPerUnit} and unit ${unit} as ${text}`, () => {
      const asked = request('d', [descriptor('x', { limit: { requestsPerUnit, unit } })]);
      expect(metadata(asked, [0]).descriptors[0].limit).to.equal(text);
    });
  }

  it('has the metadata of the rule that let the request pass', () => {
    expect(metadata(request('d', ['one=v']), [1]).metadata).to.deep.equal({
      name: 'one',
      deep: { a: 1, list: [1] },
    });
  });

  it('leaves out rules that are over, unlimited or have none', () => {
    expect(metadata(request('d', ['one=v', 'two=v']), [11, 1]).metadata.name).to.equal('two');
    expect(metadata(request('d', ['free=v', 'hour=v']), [1])).to.not.have.property('metadata');
    expect(metadata(request('d', ['one=v']), [11])).to.not.have.property('metadata');
  });

  it('has that of a spent shadow rule, which let the request pass', () => {
    expect(metadata(request('d', ['shadow=v']), [11]).metadata).to.deep.equal({ from: 'shadow' });
  });

  it('merges two rules: the first value wins, objects merge, lists do not', () => {
    expect(metadata(request('d', ['one=v', 'two=v']), [1, 1]).metadata).to.deep.equal({
      name: 'one',
      deep: { a: 1, b: 3, list: [1] },
    });
    expect(metadata(request('d', ['two=v', 'one=v']), [1, 1]).metadata).to.deep.equal({
      name: 'two',
      deep: { a: 2, b: 3, list: [2] },
    });
  });

  it('keeps the first where an object meets a text, and a null is a value', () => {
    expect(metadata(request('d', ['one=v', 'flat=v']), [1, 1]).metadata).to.deep.equal({
      name: 'one',
      deep: { a: 1, list: [1] },
      other: null,
    });
    expect(metadata(request('d', ['flat=v', 'one=v']), [1, 1]).metadata.deep).to.equal('no object');
  });

  it('never writes one rule into another: after one and two, one alone is what it was', () => {
    const before = metadata(request('d', ['one=v']), [1]);
    metadata(request('d', ['one=v', 'two=v', 'flat=v']), [1, 1, 1]);
    expect(metadata(request('d', ['one=v']), [1])).to.deep.equal(before);
  });

  it('takes __proto__ for a name like any other', () => {
    const told = projected(request('d', ['one=v', 'odd=v']), [1, 1], METADATA).metadata;
    expect(JSON.stringify(told)).to.include('"__proto__":{"polluted":1}');
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  });

  it('is not lost with detailed_metric', () => {
    expect(metadata(request('d', ['detailed=v']), [1]).metadata).to.deep.equal({ kept: 1 });
  });
});
