import { expect } from 'chai';
import type { RulesDocument } from '../../src/core/ports.ts';
import { compile } from '../../src/rules/compile.ts';
import { rulesLoader } from '../../src/rules/loader.ts';
import { formatProblem } from '../../src/rules/problem.ts';
import { ownWords, type Resource, resourceDocument } from '../../src/rules/resource.ts';
import { handSource } from './hand-source.ts';

const MINUTE = { unit: 'MINUTE', requests_per_unit: 10 };

const documentsOf = (...resources: readonly Resource[]): RulesDocument[] =>
  resources.map((each) => resourceDocument(each).document);

function rulesetOf(...resources: readonly Resource[]) {
  const compiled = compile(documentsOf(...resources), { mergeDomains: false, generation: 1 });
  if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
  return compiled.ruleset;
}

function problemsOf(...resources: readonly Resource[]): string[] {
  const own = resources.flatMap((each) => resourceDocument(each).problems);
  const compiled = compile(documentsOf(...resources), { mergeDomains: false, generation: 1 });
  return [...own, ...(compiled.ok ? [] : compiled.problems)].map(formatProblem);
}

const withWords = (weir: object, more: object = {}): Resource => ({
  name: 'r',
  domain: 'd',
  descriptors: [{ key: 'k', value: 'v*', rate_limit: MINUTE, metadata: { weir, ...more } as never }],
});

describe('rules in a resource', () => {
  it('are the rules of the same file', () => {
    const resource: Resource = {
      name: 'basic',
      domain: 'd',
      descriptors: [
        {
          key: 'a',
          value: 'yes',
          shadow_mode: true,
          quota_mode: true,
          detailed_metric: true,
          rate_limit: { ...MINUTE, name: 'one', replaces: [{ name: 'two' }] },
          metadata: { team: 'x', list: [1, null, true, { a: 'y' }], big: 1e21, '<<': 'z' },
        },
        { key: 'b', descriptors: [{ key: 'c', value: '10', rate_limit: { unlimited: true } }] },
        { key: 'd', rate_limit: { unit: 'WEEK' } },
      ],
    };
    const file = {
      name: 'basic',
      text: `
domain: d
descriptors:
  - key: a
    value: "yes"
    shadow_mode: true
    quota_mode: true
    detailed_metric: true
    rate_limit: { unit: MINUTE, requests_per_unit: 10, name: one, replaces: [{ name: two }] }
    metadata: { team: x, list: [1, null, true, { a: "y" }], big: 1e21, "<<": z }
  - key: b
    descriptors: [{ key: c, value: "10", rate_limit: { unlimited: true } }]
  - key: d
    rate_limit: { unit: week }
`,
    };
    const compiled = compile([file], { mergeDomains: false, generation: 1 });
    if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
    const plain = (rules: readonly object[]) =>
      JSON.parse(JSON.stringify(rules.map((rule) => ({ ...rule, at: null }))));
    expect(plain(rulesetOf(resource).rules)).to.deep.equal(plain(compiled.ruleset.rules));
  });

  it('hold texts as they are, whatever YAML would make of them', () => {
    const texts = [
      '~',
      'null',
      '0x10',
      '1_000',
      '*',
      '&a',
      '{',
      '\u0085\u2028\ufffe\u0000',
      'a: b',
      '# no',
      "'",
      '"',
      '😀',
    ];
    const descriptors = texts.map((value) => ({ key: 'k', value, rate_limit: MINUTE }));
    expect(rulesetOf({ domain: 'd', descriptors }).rules.map(({ value }) => value)).to.deep.equal(texts);
  });

  it('are the same when a thread reads them', async () => {
    const resource = withWords({ share_threshold: true });
    const source = handSource(documentsOf(resource));
    const loader = rulesLoader({ source, mergeDomains: false, observer: { rulesLoaded() {} }, maxDirectLength: 0 });
    await loader.start();
    expect(loader.current()?.rules).to.deep.equal(rulesetOf(resource).rules);
    await loader.stop();
  });

  it('of two resources of one domain add up when domains are merged, in the order of the names', () => {
    const b: Resource = { name: 'b', domain: 'd', descriptors: [{ key: 'x', rate_limit: MINUTE }] };
    const a: Resource = { name: 'a', domain: 'd', descriptors: [{ key: 'y', rate_limit: MINUTE }] };
    const merged = compile(documentsOf(b, a), { mergeDomains: true, generation: 1 });
    expect(merged.ok && merged.ruleset.rules.map(({ path }) => path)).to.deep.equal(['d.y', 'd.x']);
    expect(problemsOf(b, a)).to.deep.equal(["b: d: duplicate domain 'd' in config file, it is in a already"]);
  });
});

describe('problems of a resource', () => {
  const rule = (descriptor: object): Resource => ({
    name: 'basic',
    domain: 'd',
    descriptors: [{ key: 'top', value: 'v', descriptors: [descriptor as never] }],
  });

  const CASES: readonly (readonly [what: string, resource: Resource, problem: string])[] = [
    ['an empty domain', { name: 'basic', domain: '' }, 'basic: config file cannot have empty domain'],
    ['an empty key', rule({ value: 'x' }), 'basic: d.top_v._x: descriptor has empty key'],
    ['unit UNKNOWN', rule({ key: 'k', rate_limit: {} }), "basic: d.top_v.k: invalid rate limit unit 'UNKNOWN'"],
    [
      'a unit without a name',
      rule({ key: 'k', rate_limit: { unit: 9 } }),
      "basic: d.top_v.k: invalid rate limit unit '9'",
    ],
    [
      'a unit beside unlimited',
      rule({ key: 'k', rate_limit: { unit: 'DAY', unlimited: true } }),
      'basic: d.top_v.k: should not specify rate limit unit when unlimited',
    ],
    [
      'a rule that is there twice',
      { domain: 'd', descriptors: [{ key: 'k' }, { key: 'k' }] },
      "d: d.k: duplicate descriptor composite key 'd.k', it is in d already",
    ],
  ];
  for (const [what, resource, problem] of CASES) {
    it(`name the resource and the path of the rule: ${what}`, () => {
      const [found = '', ...more] = problemsOf(resource);
      expect(found.slice(0, problem.length)).to.equal(problem);
      expect(more).to.deep.equal([]);
    });
  }

  it('show no control character, and at most 200 characters of a path', () => {
    const [found = ''] = problemsOf({
      name: 'a\u001b[2J',
      domain: 'd',
      descriptors: [{ key: 'x'.repeat(500), rate_limit: {} }],
    });
    expect(found).to.include(`a\ufffd[2J: d.${'x'.repeat(198)}...: invalid`);
  });
});

describe('words that the message of a control plane lacks', () => {
  it('are every key of a rules file that it has no field for', () => {
    expect(ownWords('file')).to.include('count_denied').and.not.include('domain');
    expect(ownWords('rule')).to.include.members(['share_threshold', 'value_to_metric', 'on_store_failure']);
    expect(ownWords('rule')).to.not.include.members(['key', 'rate_limit', 'metadata', 'quota_mode']);
    expect(ownWords('rate_limit')).to.not.include.members(['unit', 'name']);
  });

  it('travel in metadata under weir, and are no metadata then', () => {
    const words = {
      share_threshold: true,
      value_to_metric: true,
      on_store_failure: 'local',
      domain: { count_denied: false },
    };
    const { rules, domains } = rulesetOf(withWords(words, { team: 'x' }));
    expect(rules[0]).to.include({ shareThreshold: true, valueToMetric: true, onStoreFailure: 'local' });
    expect({ ...rules[0]?.metadata }).to.deep.equal({ team: 'x' });
    expect(domains.get('d')?.countDenied).to.equal(false);
    expect(rulesetOf(withWords(words)).rules[0]?.metadata).to.equal(null);
  });

  it('have the problems that they would have in a file', () => {
    expect(problemsOf(withWords({ share_threshold: 'yes' }))).to.deep.equal([
      `r: d.k_v*: error loading config file: 'share_threshold' takes true or false, not the text "yes"`,
    ]);
    expect(problemsOf(withWords({ on_store_failure: 'alow' }))).to.deep.equal([
      `r: d.k_v*: invalid on_store_failure 'alow', did you mean 'allow'?`,
    ]);
  });

  const WRONG: readonly (readonly [words: object, problem: string])[] = [
    [{ share_treshold: true }, "unknown word 'share_treshold', did you mean 'share_threshold'?"],
    [{ quota_mode: true }, "unknown word 'quota_mode', it is a field of the message"],
    [{ rate_limit: { unit: 'minute' } }, "unknown word 'unit', it is a field of the message"],
    [{ domain: { domain: 'e' } }, "unknown word 'domain', it is a field of the message"],
    [{ domain: true }, 'the words of a domain are a map'],
    [{ __proto__: null, constructor: 1 }, "unknown word 'constructor'"],
  ];
  for (const [words, problem] of WRONG) {
    it(`are refused where they mean nothing: ${JSON.stringify(words)}`, () => {
      const [found = '', ...more] = problemsOf(withWords(words));
      expect(found).to.include(`r: d.k_v*: metadata 'weir': ${problem}`);
      expect(more).to.deep.equal([]);
    });
  }

  it('are refused when weir is no map', () => {
    expect(problemsOf(withWords('on' as never))).to.deep.equal([
      "r: d.k_v*: metadata 'weir': the words of a rule are a map",
    ]);
  });

  it('of the domain stand at the top alone, and do not contradict each other', () => {
    const says = (countDenied: boolean) => ({ weir: { domain: { count_denied: countDenied } } });
    const below: Resource = {
      domain: 'd',
      descriptors: [{ key: 'a', descriptors: [{ key: 'b', metadata: says(true) }] }],
    };
    expect(problemsOf(below)).to.deep.equal([
      "d: d.a.b: metadata 'weir': words of the domain stand in a descriptor at the top alone",
    ]);
    const twice: Resource = {
      domain: 'd',
      descriptors: [
        { key: 'a', metadata: says(true) },
        { key: 'b', metadata: says(false) },
      ],
    };
    expect(problemsOf(twice)).to.deep.equal([
      "d: d.b: metadata 'weir': 'count_denied' is true in another descriptor, say it in one of them",
    ]);
  });
});
