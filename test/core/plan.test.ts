import { expect } from 'chai';
import type { Hit } from '../../src/core/decision.ts';
import { plan } from '../../src/core/plan.ts';
import { type CheckRequest, MAX_HITS } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { UNIT_SECONDS, type Unit } from '../../src/core/unit.ts';
import { rulesetOf } from '../rules/rules.ts';
import { descriptor, matchesOf, request } from './asking.ts';

const SECOND_US = 1_000_000;

function planOf(rules: Ruleset, asked: CheckRequest, nowUs: number, prefix = ''): readonly Hit[] {
  return plan(asked, matchesOf(rules, asked), nowUs, { keyPrefix: prefix, quotaMode: false });
}

/** One rule for every unit, with the unit as its key. */
const UNITS = Object.keys(UNIT_SECONDS) as Unit[];
const BY_UNIT = rulesetOf(
  `domain: d\ndescriptors:\n${UNITS.map((u) => `  - { key: ${u}, rate_limit: { unit: ${u}, requests_per_unit: 7 } }`).join('\n')}\n`,
);
const hitsOf = (nowUs: number): readonly Hit[] =>
  planOf(
    BY_UNIT,
    request(
      'd',
      UNITS.map((u) => `${u}=v`),
    ),
    nowUs,
  );

describe('plan: the counter key', () => {
  const rules = rulesetOf(`
domain: domain
descriptors:
  - { key: key, value: value, rate_limit: { unit: second, requests_per_unit: 10 } }
  - key: key2
    value: value2
    descriptors: [{ key: subkey2, value: subvalue2, rate_limit: { unit: minute, requests_per_unit: 20 } }]
  - { key: key3, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: key4, rate_limit: { unit: day, requests_per_unit: 10 } }
  - { key: files, value: 'files/*', share_threshold: true, rate_limit: { unit: second, requests_per_unit: 1 } }
`);
  const keys: readonly (readonly [asked: string, nowSeconds: number, prefix: string, key: string])[] = [
    ['key=value', 1234, '', 'domain_key_value_1234'],
    ['key2=value2 subkey2=subvalue2', 1234, '', 'domain_key2_value2_subkey2_subvalue2_1200'],
    ['key3=value3', 1_000_000, '', 'domain_key3_value3_997200'],
    ['key4=value4', 1_000_000, '', 'domain_key4_value4_950400'],
    ['key=value', 1234, 'prefix:', 'prefix:domain_key_value_1234'],
    ['files=files/a.pdf', 1234, '', 'domain_files_files/*_1234'],
    ['key3', 1_000_000, '', 'domain_key3__997200'],
    ['key3=a_b.c*ü\u0000\n', 1_000_000, '', 'domain_key3_a_b.c*ü\u0000\n_997200'],
    ['key3=\udcff', 1_000_000, '', 'domain_key3_\udcff_997200'],
  ];
  for (const [asked, nowSeconds, prefix, key] of keys) {
    it(`of ${JSON.stringify(asked)} at ${nowSeconds} is ${JSON.stringify(key)}`, () => {
      expect(planOf(rules, request('domain', [asked]), nowSeconds * SECOND_US, prefix)[0]?.key).to.equal(key);
    });
  }

  it('of an override without entries is <domain>_<window>', () => {
    const asked = request('domain', [descriptor([], { limit: { requestsPerUnit: 1, unit: 2 } })]);
    expect(planOf(rules, asked, 1234 * SECOND_US)[0]?.key).to.equal('domain_1200');
  });

  it('of an override on a shared rule has the value, so it shares with a rule of that value', () => {
    const limit = { requestsPerUnit: 1, unit: 1 };
    const asked = request('domain', [descriptor('files=files/a.pdf', { limit }), descriptor('key=value', { limit })]);
    expect(planOf(rules, asked, 1234 * SECOND_US).map((hit) => hit.key)).to.deep.equal([
      'domain_files_files/a.pdf_1234',
      'domain_key_value_1234',
    ]);
  });
});

describe('plan: windows', () => {
  const starts: Readonly<Record<Unit, number>> = {
    second: 1_795_266_123,
    minute: 1_795_266_120,
    hour: 1_795_266_000,
    day: 1_795_219_200,
    week: 1_795_046_400,
    month: 1_793_664_000,
    year: 1_766_016_000,
  };
  it('starts all seven units at a multiple of their length, in seconds from the epoch', () => {
    const hits = hitsOf(1_795_266_123 * SECOND_US + 999_999);
    expect(hits.map((hit) => hit.key)).to.deep.equal(UNITS.map((u) => `d_${u}_v_${starts[u]}`));
    expect(hits.map((hit) => hit.windowEndUs)).to.deep.equal(
      UNITS.map((u) => (starts[u] + UNIT_SECONDS[u]) * SECOND_US),
    );
    expect(hits.map((hit) => hit.windowSeconds)).to.deep.equal(UNITS.map((u) => UNIT_SECONDS[u]));
  });

  for (const unit of UNITS) {
    const at = UNITS.indexOf(unit);
    const edgeUs = (starts[unit] + UNIT_SECONDS[unit]) * SECOND_US;
    it(`ends the ${unit} 1 us after its last, and begins the next at its first`, () => {
      expect(hitsOf(edgeUs - 1)[at]).to.include({ key: `d_${unit}_v_${starts[unit]}`, windowEndUs: edgeUs });
      expect(hitsOf(edgeUs)[at]).to.include({
        key: `d_${unit}_v_${starts[unit] + UNIT_SECONDS[unit]}`,
        windowEndUs: edgeUs + UNIT_SECONDS[unit] * SECOND_US,
      });
    });
  }

  it('starts weeks on a Thursday, as the epoch did', () => {
    expect(new Date(starts.week * 1_000).getUTCDay()).to.equal(4);
  });

  it('begins at 0 when the clock does', () => {
    expect(hitsOf(0).map((hit) => hit.key)).to.deep.equal(UNITS.map((u) => `d_${u}_v_0`));
  });
});

describe('plan: hits', () => {
  const rules = rulesetOf(`
domain: d
descriptors:
  - { key: a, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: shadow, shadow_mode: true, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: free, rate_limit: { unlimited: true } }
  - { key: listed }
  - { key: b, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: other, rate_limit: { unit: hour, requests_per_unit: 10, name: x, replaces: [{ name: y }] } }
  - { key: fallen, rate_limit: { unit: hour, requests_per_unit: 10, name: y } }
`);

  it('are one for each limited match, in order; none for the rest', () => {
    const asked = request('d', ['none=1', 'a=2', 'free=3', 'listed=4', 'fallen=5', 'other=6', 'a=2', 'shadow=7']);
    expect(planOf(rules, asked, 0).map((hit) => hit.key)).to.deep.equal([
      'd_a_2_0',
      'd_other_6_0',
      'd_a_2_0',
      'd_shadow_7_0',
    ]);
  });

  it('say which one is of a shadow rule; an override is none', () => {
    const override = descriptor('shadow=x', { limit: { requestsPerUnit: 1, unit: 3 } });
    const hits = planOf(rules, request('d', ['a=1', 'shadow=1', override]), 0);
    expect(hits.map((hit) => hit.shadow)).to.deep.equal([false, true, false]);
  });

  const costs: readonly (readonly [what: string, ofRequest: number, of: object, cost: number])[] = [
    ['1 when nobody says', 0, {}, 1],
    ['the number of the request', 5, {}, 5],
    ['the number of the descriptor before that of the request', 5, { hits: 3 }, 3],
    ['0 when the descriptor says 0', 5, { hits: 0 }, 0],
    ['negative for a refund', 5, { hits: 3, refund: true }, -3],
    ['the number of the request given back', 5, { refund: true }, -5],
    ['1 given back when nobody says', 0, { refund: true }, -1],
    ['2^53-1 at most', 0, { hits: MAX_HITS }, MAX_HITS],
  ];
  for (const [what, ofRequest, part, cost] of costs) {
    it(`cost ${what}: ${cost}`, () => {
      const hits = planOf(rules, request('d', [descriptor('a=1', part)], ofRequest), 0);
      expect(hits.map((hit) => hit.cost)).to.deep.equal([cost]);
    });
  }

  it('cost nothing, not even minus nothing, when a refund is of 0', () => {
    const [hit] = planOf(rules, request('d', [descriptor('a=1', { hits: 0, refund: true })]), 0);
    expect(hit?.cost === 0).to.equal(true);
  });

  it('share the limit object of their rule, so that what is derived from it can be kept', () => {
    const hits = planOf(rules, request('d', ['a=1', 'b=1']), 0);
    expect(hits[0]?.limit).to.equal(hits[1]?.limit);
  });
});

describe('plan: what a hit refuses', () => {
  const limit = 'rate_limit: { unit: hour, requests_per_unit: 1 }';
  const rules = rulesetOf(`
domain: d
descriptors:
  - { key: plain, ${limit} }
  - { key: ghost, shadow_mode: true, ${limit} }
  - { key: quota, quota_mode: true, ${limit} }
  - { key: both, quota_mode: true, shadow_mode: true, ${limit} }
  - { key: free, rate_limit: { unlimited: true } }
`);
  const cases: readonly (readonly [asked: string, quotaMode: boolean, refuses: string])[] = [
    ['plain ghost quota', false, 'alone never together'],
    ['quota both', false, 'never never'],
    ['quota nothing', false, 'together'],
    ['quota nothing', true, 'never'],
    ['plain quota free', true, 'together together'],
    ['plain ghost', true, 'never never'],
  ];
  for (const [asked, quotaMode, refuses] of cases) {
    it(`is ${refuses} for ${asked}${quotaMode ? ' with QUOTA_MODE' : ''}`, () => {
      const its = request(
        'd',
        asked.split(' ').map((key) => `${key}=v`),
      );
      const hits = plan(its, matchesOf(rules, its), 1, { keyPrefix: '', quotaMode });
      expect(hits.map((hit) => hit.refuses).join(' ')).to.equal(refuses);
    });
  }
});
