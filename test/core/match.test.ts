import { expect } from 'chai';
import type { Limited } from '../../src/core/decision.ts';
import { matchesGlob } from '../../src/core/match.ts';
import type { Descriptor } from '../../src/core/request.ts';
import { rulesetOf } from '../rules/rules.ts';
import { descriptor, matchesOf, request, told } from './asking.ts';

const SHOP = rulesetOf(`
domain: shop
descriptors:
  - key: plan
    value: trial
    descriptors:
      - { key: call, rate_limit: { unit: second, requests_per_unit: 5 } }
      - { key: call, value: search, rate_limit: { unit: second, requests_per_unit: 10 } }
  - { key: tenant, rate_limit: { unit: minute, requests_per_unit: 20 } }
  - { key: tenant, value: big, rate_limit: { unit: minute, requests_per_unit: 30 } }
  - { key: tenant, value: friend }
  - { key: mail, rate_limit: { unit: hour, requests_per_unit: 1 } }
  - { key: report, rate_limit: { unit: day, requests_per_unit: 2, name: reports } }
  - key: route
    value: pay
    rate_limit: { unit: day, requests_per_unit: 15 }
    descriptors:
      - { key: card, value: visa, rate_limit: { unit: day, requests_per_unit: 25 } }
  - { key: free, rate_limit: { unlimited: true } }
`);

function tableOf(rules: string, rows: readonly (readonly [asked: string, expected: string])[]): void {
  const set = rulesetOf(`domain: d\ndescriptors:\n${rules}`);
  for (const [asked, expected] of rows) {
    it(`answers ${expected} to ${asked}`, () => {
      expect(matchesOf(set, request('d', [asked])).map(told)).to.deep.equal([expected]);
    });
  }
}

function limited(rules: string, asked: string | Descriptor): Limited {
  const [found] = matchesOf(rulesetOf(`domain: d\ndescriptors:\n${rules}`), request('d', [asked]));
  if (found?.kind !== 'limited') throw new Error(`${JSON.stringify(asked)} is ${found?.kind}`);
  return found;
}

describe('match', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['plan=other', 'no_rule'],
    ['plan=trial', 'no_limit'],
    ['tenant=big call=x', 'no_rule'],
    ['route=pay card=other', 'no_rule'],
    ['route=pay card=visa', '25/day'],
    ['route=pay', '15/day'],
    ['plan=trial call=buy', '5/second'],
    ['plan=trial call=search', '10/second'],
    ['tenant=small', '20/minute'],
    ['tenant=big', '30/minute'],
    ['tenant=friend', 'no_limit'],
    ['mail=a', '1/hour'],
    ['report=a', '2/day reports'],
    ['free=a', 'unlimited'],
    ['call=search', 'no_rule'],
    ['tenant=BIG', '20/minute'],
    ['Tenant=big', 'no_rule'],
  ];
  for (const [asked, expected] of rows) {
    it(`answers ${expected} to ${asked}`, () => {
      expect(matchesOf(SHOP, request('shop', [asked])).map(told)).to.deep.equal([expected]);
    });
  }

  it('answers unknown_domain for each descriptor of a domain that has no rules, overrides too', () => {
    const override = descriptor('tenant=big', { limit: { requestsPerUnit: 10, unit: 4 } });
    expect(matchesOf(SHOP, request('elsewhere', ['tenant=big', override])).map(told)).to.deep.equal([
      'unknown_domain',
      'unknown_domain',
    ]);
  });

  it('answers no_rule to a descriptor without entries', () => {
    expect(matchesOf(SHOP, request('shop', [descriptor([])])).map(told)).to.deep.equal(['no_rule']);
  });

  it('answers 4 descriptors in the order they were asked', () => {
    const asked = request('shop', ['free=a', 'mail=a', 'nothing=a', 'tenant=big']);
    expect(matchesOf(SHOP, asked).map(told)).to.deep.equal(['unlimited', '1/hour', 'no_rule', '30/minute']);
  });

  it('takes an entry apart: (tenant,a_b) is no key tenant_a, and (a,b) no key a_b', () => {
    const set = rulesetOf(`
domain: d
descriptors:
  - { key: a_b, rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: c, value: d_e, rate_limit: { unit: day, requests_per_unit: 2 } }
`);
    const asked = request('d', ['a=b', 'a_b=x', 'c=d_e', 'c_d=e', 'c_d_e']);
    expect(matchesOf(set, asked).map(told)).to.deep.equal(['no_rule', '1/day', '2/day', 'no_rule', 'no_rule']);
  });
});

describe('match of wildcards', () => {
  describe('the first of overlapping ones wins', () => {
    tableOf(
      `
  - { key: path, value: 'a*', rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: path, value: 'ab*', rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: path, value: '*c', rate_limit: { unit: day, requests_per_unit: 3 } }
  - { key: path, value: abc, rate_limit: { unit: day, requests_per_unit: 4 } }
  - { key: path, rate_limit: { unit: day, requests_per_unit: 5 } }
`,
      [
        ['path=abc', '4/day'],
        ['path=abd', '1/day'],
        ['path=xc', '3/day'],
        ['path=a', '1/day'],
        ['path=x', '5/day'],
        ['path', '5/day'],
        ['path=ab*', '2/day'],
      ],
    );
  });

  describe('a star in the key and one in the value stand in one row', () => {
    tableOf(
      `
  - { key: hdr-a, value: 'x*', rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: 'hdr-*', rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: hdr-a, value: '*y', rate_limit: { unit: day, requests_per_unit: 3 } }
  - { key: hdr-a, value: plain, rate_limit: { unit: day, requests_per_unit: 4 } }
  - { key: hdr-a, rate_limit: { unit: day, requests_per_unit: 5 } }
  - { key: 'ip*', value: 'v6', rate_limit: { unit: day, requests_per_unit: 6 } }
`,
      [
        ['hdr-a=xy', '1/day'],
        ['hdr-a=by', '2/day'],
        ['hdr-a=other', '2/day'],
        ['hdr-a=plain', '4/day'],
        ['hdr-b=anything', '2/day'],
        ['hdr-b', '2/day'],
        ['hdr-a', '2/day'],
        ['hdr=a', 'no_rule'],
        ['ip=v6', '6/day'],
        ['ip-of-client=v6', '6/day'],
        ['ip-of-client=v4', 'no_rule'],
        // The star may also take in what stands between key and value.
        ['ip=a_v6', '6/day'],
      ],
    );
  });

  describe('there is no way back', () => {
    tableOf(
      `
  - key: a
    value: exact
    descriptors: [{ key: b, value: '1', rate_limit: { unit: day, requests_per_unit: 1 } }]
  - key: a
    value: 'e*'
    descriptors: [{ key: b, value: '2', rate_limit: { unit: day, requests_per_unit: 2 } }]
  - key: a
    descriptors: [{ key: b, value: '3', rate_limit: { unit: day, requests_per_unit: 3 } }]
`,
      [
        ['a=exact b=1', '1/day'],
        ['a=exact b=2', 'no_rule'],
        ['a=exact b=3', 'no_rule'],
        ['a=else b=2', '2/day'],
        ['a=else b=3', 'no_rule'],
        ['a=other b=3', '3/day'],
      ],
    );
  });

  describe('nested below an exact value', () => {
    tableOf(
      `
  - key: zone
    value: eu
    descriptors: [{ key: file, value: 'img*', rate_limit: { unit: minute, requests_per_unit: 20 } }]
`,
      [
        ['zone=eu file=img1', '20/minute'],
        ['zone=us file=img1', 'no_rule'],
        ['file=img1', 'no_rule'],
        ['zone=eu', 'no_limit'],
      ],
    );
  });

  it('takes an empty value for a wildcard that may be empty, and never for an exact rule', () => {
    const rules = `
  - { key: a, value: '*', rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: b, value: 'x*', rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: b, rate_limit: { unit: day, requests_per_unit: 3 } }
`;
    const set = rulesetOf(`domain: d\ndescriptors:${rules}`);
    expect(matchesOf(set, request('d', ['a', 'b'])).map(told)).to.deep.equal(['1/day', '3/day']);
  });

  const globs: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
    ['foo*', ['foo', 'foo1', 'foo*'], ['fo', 'xfoo', 'Foo']],
    ['*foo', ['foo', 'xfoo'], ['foox']],
    ['bar*b', ['barb', 'barab', 'bar123b'], ['bara', 'xbarb', 'bar']],
    ['ab*ba', ['abba', 'abxba'], ['aba', 'ab', 'ba']],
    ['foo*bar*baz', ['foobarbaz', 'foo1bar2baz', 'foobarbarbaz'], ['foobaz', 'foo1baz', 'bar1baz', 'foobarba']],
    ['*a*a*', ['aa', 'xaxax'], ['a', 'xax']],
    ['*', ['', 'a', '*'], []],
    ['**', ['', 'ab'], []],
    ['a**b', ['ab', 'axb'], ['a', 'b']],
    ['/api*v1', ['/apiv1', '/api/x/v1'], ['/api/v2']],
    ['a*bc*c', ['abcc', 'abcbcc'], ['abc', 'abcb']],
    ['a*b*c', ['abc', 'abbc', 'abcbc'], ['ac', 'acb']],
  ];
  for (const [pattern, yes, no] of globs) {
    it(`takes ${pattern} for ${JSON.stringify(yes)} and not for ${JSON.stringify(no)}`, () => {
      const literals = pattern.split('*');
      expect(yes.filter((text) => !matchesGlob(literals, text))).to.deep.equal([]);
      expect(no.filter((text) => matchesGlob(literals, text))).to.deep.equal([]);
    });
  }
});

describe('match of overrides', () => {
  const limit = { requestsPerUnit: 10, unit: 4 };

  it('takes the limit of the request, whatever the rules say', () => {
    const asked = ['tenant=big', 'free=x', 'nothing=x'].map((text) => descriptor(text, { limit }));
    expect(matchesOf(SHOP, request('shop', asked)).map(told)).to.deep.equal(['10/day', '10/day', '10/day']);
  });

  it('has no rule, and names every value in counter and metric', () => {
    const [found] = matchesOf(SHOP, request('shop', [descriptor('plan=trial call=a empty', { limit })]));
    expect(found).to.deep.include({
      kind: 'limited',
      rule: null,
      counter: 'plan_trial_call_a_empty__',
      metric: 'shop.plan_trial.call_a.empty',
    });
  });

  it('counts where no entry is at all', () => {
    const [found] = matchesOf(SHOP, request('shop', [descriptor([], { limit })]));
    expect(found).to.deep.include({ kind: 'limited', counter: '', metric: 'shop.' });
  });

  it('reads the units 1 to 7 as second, minute, hour, day, month, year and week', () => {
    const asked = [1, 2, 3, 4, 5, 6, 7].map((unit) => descriptor('a', { limit: { requestsPerUnit: 1, unit } }));
    expect(matchesOf(SHOP, request('shop', asked)).map(told)).to.deep.equal(
      ['second', 'minute', 'hour', 'day', 'month', 'year', 'week'].map((unit) => `1/${unit}`),
    );
  });

  for (const unit of [0, 8, 99, -1]) {
    it(`throws on the unit ${unit}, which the limiter must not let through`, () => {
      const asked = request('shop', [descriptor('a', { limit: { requestsPerUnit: 1, unit } })]);
      expect(() => matchesOf(SHOP, asked)).to.throw(`unit ${unit}`);
    });
  }
});

describe('match: the counter', () => {
  const counters: readonly (readonly [what: string, rules: string, asked: string, counter: string])[] = [
    [
      'holds every key and value',
      '  - { key: a, descriptors: [{ key: b, rate_limit: { unit: day } }] }',
      'a=1 b=2',
      'a_1_b_2_',
    ],
    ['keeps an empty value', '  - { key: a, rate_limit: { unit: day } }', 'a', 'a__'],
    ['holds the value of a wildcard', "  - { key: a, value: 'x*', rate_limit: { unit: day } }", 'a=xy', 'a_xy_'],
    [
      'holds the pattern of a shared one',
      "  - { key: a, value: 'x*', share_threshold: true, rate_limit: { unit: day } }",
      'a=xy',
      'a_x*_',
    ],
    [
      'is the same for a value that is the pattern itself',
      "  - { key: a, value: 'x*', share_threshold: true, rate_limit: { unit: day } }",
      'a=x*',
      'a_x*_',
    ],
    [
      'shares only the levels that say so',
      "  - { key: a, value: '*x', share_threshold: true, descriptors: [{ key: b, value: 'y*', rate_limit: { unit: day } }] }",
      'a=1x b=y1',
      'a_*x_b_y1_',
    ],
    [
      'shares two levels at once',
      "  - { key: a, value: 't*p', share_threshold: true, descriptors: [{ key: b, value: 'r*v', share_threshold: true, rate_limit: { unit: day } }] }",
      'a=tp b=r1v',
      'a_t*p_b_r*v_',
    ],
    [
      'keeps the key of the request where the star is in the key of a shared rule',
      "  - { key: 'h-*', share_threshold: true, rate_limit: { unit: day } }",
      'h-a=1',
      'h-a_h-*_',
    ],
    [
      'ends such a pattern with the value of the rule',
      "  - { key: 'h-*', value: v, share_threshold: true, rate_limit: { unit: day } }",
      'h-a=v',
      'h-a_h-*_v_',
    ],
  ];
  for (const [what, rules, asked, counter] of counters) {
    it(`${what}: ${counter}`, () => expect(limited(rules, asked).counter).to.equal(counter));
  }
});

describe('match: the metric key', () => {
  const l = 'rate_limit: { unit: day }';
  const metrics: readonly (readonly [what: string, rules: string, asked: string, metric: string])[] = [
    ['is the rule as written', `  - { key: a, value: v, descriptors: [{ key: b, ${l} }] }`, 'a=v b=2', 'd.a_v.b'],
    ['has the pattern of a wildcard', `  - { key: a, value: 'x*', ${l} }`, 'a=xy', 'd.a_x*'],
    ['has the pattern of a star key', `  - { key: 'h-*', ${l} }`, 'h-a=1', 'd.h-*'],
    ['has the pattern of a star key beside a value', `  - { key: 'h-*', value: v, ${l} }`, 'h-a=v', 'd.h-*_v'],

    ['detailed: has every value', `  - { key: a, detailed_metric: true, ${l} }`, 'a=1', 'd.a_1'],
    ['detailed: ends with _ where a value is empty', `  - { key: a, detailed_metric: true, ${l} }`, 'a', 'd.a_'],
    [
      'detailed: only the flag of the rule that limits counts',
      `  - { key: a, detailed_metric: true, descriptors: [{ key: b, ${l} }] }`,
      'a=1 b=2',
      'd.a.b',
    ],
    [
      'detailed: speaks for the levels above too',
      `  - { key: a, descriptors: [{ key: b, detailed_metric: true, ${l} }] }`,
      'a=1 b=2',
      'd.a_1.b_2',
    ],
    [
      'detailed and shared: has the pattern where it is shared, and no trailing _',
      `  - { key: a, value: 'x*', share_threshold: true, descriptors: [{ key: b, descriptors: [{ key: c, detailed_metric: true, ${l} }] }] }`,
      'a=xy b=1 c',
      'd.a_x*.b_1.c',
    ],

    ['value_to_metric: has the value of a bare key', `  - { key: a, value_to_metric: true, ${l} }`, 'a=1', 'd.a_1'],
    ['value_to_metric: has no trailing _', `  - { key: a, value_to_metric: true, ${l} }`, 'a', 'd.a'],
    [
      'value_to_metric: has the value of a wildcard',
      `  - { key: a, value: 'r*', value_to_metric: true, ${l} }`,
      'a=rx',
      'd.a_rx',
    ],
    [
      'value_to_metric: has key and value of a star key',
      `  - { key: 'h-*', value_to_metric: true, ${l} }`,
      'h-a=1',
      'd.h-a_1',
    ],
    [
      'value_to_metric: changes only its own level',
      `  - { key: a, descriptors: [{ key: b, value_to_metric: true, descriptors: [{ key: c, ${l} }] }] }`,
      'a=1 b=2 c=3',
      'd.a.b_2.c',
    ],
    [
      'value_to_metric: changes nothing about a listed value',
      `  - { key: a, value: v, value_to_metric: true, ${l} }`,
      'a=v',
      'd.a_v',
    ],
    [
      'value_to_metric: of two levels above the limit',
      `  - { key: a, value_to_metric: true, descriptors: [{ key: b, value_to_metric: true, descriptors: [{ key: c, ${l} }] }] }`,
      'a=1 b=2 c=3',
      'd.a_1.b_2.c',
    ],

    [
      'share_threshold beats value_to_metric',
      `  - { key: a, value: 'x*', share_threshold: true, value_to_metric: true, ${l} }`,
      'a=xy',
      'd.a_x*',
    ],
    [
      'share_threshold beats value_to_metric on its own level only',
      `  - { key: a, value: 'x*', share_threshold: true, descriptors: [{ key: b, value_to_metric: true, ${l} }] }`,
      'a=xy b=1',
      'd.a_x*.b_1',
    ],
    [
      'detailed_metric beats value_to_metric',
      `  - { key: a, value_to_metric: true, descriptors: [{ key: b, detailed_metric: true, ${l} }] }`,
      'a=1 b=2',
      'd.a_1.b_2',
    ],
  ];
  for (const [what, rules, asked, metric] of metrics) {
    it(`${what}: ${metric}`, () => expect(limited(rules, asked).metric).to.equal(metric));
  }

  it('never changes the counter: with and without flags it is a_1_b_2_', () => {
    for (const flags of ['', 'detailed_metric: true,', 'value_to_metric: true,']) {
      const rules = `  - { key: a, ${flags} descriptors: [{ key: b, ${flags} ${l} }] }`;
      expect(limited(rules, 'a=1 b=2').counter).to.equal('a_1_b_2_');
    }
  });
});

describe('match: replaces', () => {
  const set = rulesetOf(`
domain: d
descriptors:
  - { key: banned, rate_limit: { unit: minute, requests_per_unit: 0, name: banned } }
  - { key: user, value: bob, rate_limit: { unit: minute, requests_per_unit: 1, name: bob } }
  - { key: again, value: bob, rate_limit: { unit: minute, requests_per_unit: 9, name: bob } }
  - { key: route, rate_limit: { unit: minute, requests_per_unit: 2, name: route, replaces: [{ name: banned }] } }
  - { key: both, rate_limit: { unit: minute, requests_per_unit: 4, replaces: [{ name: banned }, { name: bob }] } }
  - { key: free, rate_limit: { unlimited: true, name: free, replaces: [{ name: bob }] } }
  - { key: notfree, rate_limit: { unit: minute, requests_per_unit: 3, replaces: [{ name: free }] } }
  - { key: left, rate_limit: { unit: minute, requests_per_unit: 5, name: left, replaces: [{ name: right }] } }
  - { key: right, rate_limit: { unit: minute, requests_per_unit: 6, name: right, replaces: [{ name: left }] } }
  - { key: chain, rate_limit: { unit: minute, requests_per_unit: 7, replaces: [{ name: route }] } }
`);
  const rows: readonly (readonly [what: string, asked: readonly string[], expected: readonly string[]])[] = [
    ['stands when nothing replaces it', ['banned=x', 'user=bob'], ['0/minute banned', '1/minute bob']],
    ['falls, whichever comes first', ['banned=x', 'route=y'], ['replaced', '2/minute route']],
    ['falls, whichever comes last', ['route=y', 'banned=x'], ['2/minute route', 'replaced']],
    ['falls with another one', ['banned=x', 'user=bob', 'both=y'], ['replaced', 'replaced', '4/minute']],
    ['falls with all of its name', ['user=bob', 'again=bob', 'both=y'], ['replaced', 'replaced', '4/minute']],
    ['falls under an unlimited rule', ['user=bob', 'free=x'], ['replaced', 'unlimited']],
    ['does not fall when it is unlimited', ['free=x', 'notfree=x'], ['unlimited', '3/minute']],
    ['falls together with the rule it replaces', ['left=x', 'right=x'], ['replaced', 'replaced']],
    ['takes others along when it falls', ['chain=x', 'route=x', 'banned=x'], ['7/minute', 'replaced', 'replaced']],
  ];
  for (const [what, asked, expected] of rows) {
    it(`${what}: ${asked.join(', ')}`, () => {
      expect(matchesOf(set, request('d', asked)).map(told)).to.deep.equal(expected);
    });
  }

  it('does not reach overrides', () => {
    const override = descriptor('user=bob', { limit: { requestsPerUnit: 8, unit: 2 } });
    expect(matchesOf(set, request('d', [override, 'both=y'])).map(told)).to.deep.equal(['8/minute', '4/minute']);
  });

  it('does not outlive the request', () => {
    matchesOf(set, request('d', ['route=y', 'banned=x']));
    expect(matchesOf(set, request('d', ['banned=x'])).map(told)).to.deep.equal(['0/minute banned']);
  });
});
