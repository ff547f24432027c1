import { expect } from 'chai';
import { goCounter, identityOf } from '../../src/core/counter-text.ts';
import { type MatchOptions, match } from '../../src/core/match.ts';
import { plan } from '../../src/core/plan.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { rulesetOf } from '../rules/rules.ts';
import { rule } from '../support/rule.ts';
import { descriptor, entriesOf, MATCHING, matchesOf, request } from './asking.ts';

/** 2026-11-21 08:00:10 UTC. */
const NOW_US = 1_795_248_010_000_000;

const shared = (key: string, value: string) =>
  rule('d', { key, value, text: value === '' ? key : `${key}_${value}`, shareThreshold: true });
const own = rule('d', { key: 'k', value: 'x*' });

describe('counter text', () => {
  const rows: readonly (readonly [entries: string, rules: Parameters<typeof goCounter>[1], go: string, id: string])[] =
    [
      ['user=ann plan=free', [own, own], 'user_ann_plan_free_', '{api|user=ann|plan=free}'],
      ['user=ann', [], 'user_ann_', '{api|user=ann}'],
      ['user', [own], 'user__', '{api|user=}'],
      ['k=x1', [shared('k', 'x*')], 'k_x*_', '{api|k~x*}'],
      ['k=x1 l=2', [shared('k', 'x*'), own], 'k_x*_l_2_', '{api|k~x*|l=2}'],
      ['h-a=1', [shared('h-*', '')], 'h-a_h-*_', '{api|h-a~h-*}'],
      ['k=a|b=c', [], 'k_a|b=c_', '{api|k=a%7Cb%3Dc}'],
      ['k=%7C', [], 'k_%7C_', '{api|k=%257C}'],
      ['k={}~', [], 'k_{}~_', '{api|k=%7B%7D%7E}'],
    ];
  for (const [entries, rules, go, id] of rows) {
    it(`of ${entries} is ${go} for the Go service and ${id} escaped`, () => {
      expect(goCounter(entriesOf(entries), rules)).to.equal(go);
      expect(identityOf('api', entriesOf(entries), rules)).to.equal(id);
    });
  }

  it('of no entries is empty for the Go service, and the domain escaped', () => {
    expect(goCounter([], [])).to.equal('');
    expect(identityOf('a|b', [], [])).to.equal('{a%7Cb}');
  });
});

const RULES = rulesetOf(`
domain: d
descriptors:
  - { key: user, rate_limit: { unit: hour, requests_per_unit: 5 } }
  - { key: five, rate_limit: { unit: minute, unit_multiplier: 5, requests_per_unit: 5 } }
  - { key: slide, rate_limit: { unit: minute, algorithm: sliding_window, requests_per_unit: 5 } }
  - { key: bucket, rate_limit: { unit: minute, algorithm: token_bucket, requests_per_unit: 5 } }
  - key: mixed
    rate_limits:
      - { unit: second, requests_per_unit: 5 }
      - { unit: second, algorithm: leaky_bucket, requests_per_unit: 5 }
  - { key: 'p', value: 'a*', share_threshold: true, rate_limit: { unit: hour, requests_per_unit: 5 } }
  - key: tenant
    descriptors:
      - { key: api_key, hash_value: true, detailed_metric: true, rate_limit: { unit: hour, requests_per_unit: 5 } }
  - key: token
    hash_value: true
    value_to_metric: true
    descriptors:
      - { key: path, rate_limit: { unit: hour, requests_per_unit: 5 } }
`);

function keysOf(asked: CheckRequest, options: Partial<MatchOptions> = {}, rules: Ruleset = RULES): readonly string[] {
  const matches = match(rules.domains.get('d'), asked, { ...MATCHING, ...options });
  return plan(asked, matches, NOW_US, { keyPrefix: 'p:', quotaMode: false }).map(({ key }) => key);
}

describe('counter keys of the words that the Go service does not know', () => {
  const keys: Readonly<Record<string, readonly string[]>> = {
    'user=ann': ['p:d_user_ann_1795248000'],
    'five=x': ['p:{d|five=x}|fixed_window:5minute|1795248000'],
    'slide=x': ['p:{d|slide=x}|sliding_window:minute|1795248000'],
    'bucket=x': ['p:{d|bucket=x}|token_bucket:minute|'],
    'mixed=x': ['p:{d|mixed=x}|fixed_window:second|1795248010', 'p:{d|mixed=x}|leaky_bucket:second|'],
  };
  for (const [asked, expected] of Object.entries(keys)) {
    it(`are ${expected.join(' and ')} for ${asked}`, () => {
      expect(keysOf(request('d', [asked]))).to.deep.equal(expected);
    });
  }

  it('have the key of the window before for a sliding window, and for nothing else', () => {
    const asked = request('d', ['slide=x', 'user=x', 'bucket=x']);
    const hits = plan(asked, matchesOf(RULES, asked), NOW_US, { keyPrefix: 'p:', quotaMode: false });
    expect(hits.map(({ previousKey }) => previousKey)).to.deep.equal([
      'p:{d|slide=x}|sliding_window:minute|1795247940',
      '',
      '',
    ]);
  });
});

describe('KEY_FORMAT=escaped', () => {
  const ESCAPED = { keyFormat: 'escaped' } as const;

  it('gives plain limits the escaped key too, with pattern where the value is shared', () => {
    expect(keysOf(request('d', ['user=ann', 'p=ab']), ESCAPED)).to.deep.equal([
      'p:{d|user=ann}|fixed_window:hour|1795248000',
      'p:{d|p~a*}|fixed_window:hour|1795248000',
    ]);
  });

  /** 08:00:00 begins a minute, an hour, and a quarter of the day. */
  const atOnce = ['second', 'minute', 'hour', 'day', 'month', 'year', 'week'].map((_, i) =>
    descriptor('user=ann', { limit: { requestsPerUnit: 5, unit: i + 1 } }),
  );

  it('keeps overrides of 7 units apart, where the keys of Go meet when windows begin together', () => {
    const asked = request('d', atOnce);
    expect(new Set(keysOf(asked, ESCAPED)).size).to.equal(7);
    // The hour and the minute begin at the same second.
    expect(new Set(keysOf(asked)).size).to.equal(6);
  });

  it('lets an override of 5 an hour share with the rule of 5 an hour, as with the keys of Go', () => {
    const override = descriptor('user=ann', { limit: { requestsPerUnit: 5, unit: 3 } });
    for (const options of [ESCAPED, {}]) {
      const [one, other] = keysOf(request('d', [override, 'user=ann']), options);
      expect(one).to.equal(other);
    }
  });

  it('tells user=a_b apart from user_a=b, which Go counts as one', () => {
    const limit = { requestsPerUnit: 5, unit: 3 };
    const asked = request('d', [descriptor('user=a_b', { limit }), descriptor('user_a=b', { limit })]);
    expect(new Set(keysOf(asked)).size).to.equal(1);
    expect(new Set(keysOf(asked, ESCAPED)).size).to.equal(2);
  });

  it('has a key for an override without entries', () => {
    const asked = request('d', [descriptor([], { limit: { requestsPerUnit: 5, unit: 3 } })]);
    expect(keysOf(asked, ESCAPED)).to.deep.equal(['p:{d}|fixed_window:hour|1795248000']);
  });
});

describe('hash_value', () => {
  const limit = { requestsPerUnit: 5, unit: 3 };
  const asked = request('d', [
    'tenant=t api_key=hidden',
    'token=hidden path=/a',
    descriptor('tenant=t api_key=hidden', { limit }),
    descriptor('token=hidden path=/a more=b', { limit }),
    descriptor('token=hidden', { limit }),
  ]);

  it('puts the hash in place of the value in key and metric, of overrides too', () => {
    expect(keysOf(asked)).to.deep.equal([
      'p:{d|tenant=t|api_key=<neddih>}|fixed_window:hour|1795248000',
      'p:{d|token=<neddih>|path=/a}|fixed_window:hour|1795248000',
      'p:{d|tenant=t|api_key=<neddih>}|fixed_window:hour|1795248000',
      'p:{d|token=<neddih>|path=/a|more=b}|fixed_window:hour|1795248000',
      'p:{d|token=<neddih>}|fixed_window:hour|1795248000',
    ]);
    const metrics = matchesOf(RULES, asked).map((found) => (found.kind === 'limited' ? found.metric : found.kind));
    expect(metrics).to.deep.equal([
      'd.tenant_t.api_key_<neddih>',
      'd.token_<neddih>.path',
      'd.tenant_t.api_key_<neddih>',
      'd.token_<neddih>.path_/a.more_b',
      'd.token_<neddih>',
    ]);
  });

  it('never lets the value itself be seen in a match, under either key format', () => {
    for (const keyFormat of ['go', 'escaped'] as const) {
      expect(JSON.stringify(matchesOf(RULES, asked, { keyFormat }))).to.not.include('hidden');
      expect(keysOf(asked, { keyFormat }).join()).to.not.include('hidden');
    }
  });

  it('asks for no hash where no rule wants one', () => {
    const hashValue = (): never => expect.fail('it was asked');
    const plain = request('d', ['user=ann', descriptor('user=ann', { limit }), 'tenant=t', 'nothing=x']);
    expect(keysOf(plain, { hashValue })).to.deep.equal(['p:d_user_ann_1795248000', 'p:d_user_ann_1795248000']);
  });
});
