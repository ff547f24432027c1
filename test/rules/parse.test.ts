import { expect } from 'chai';
import { limit } from '../../src/core/limit.ts';
import { MAX_YAML_DEPTH } from '../../src/rules/yaml-reader.ts';
import { problemsOf, ruleOf, rulesetOf } from './rules.ts';

const HOUR = 'rate_limit: {unit: hour, requests_per_unit: 1}';

describe('values', () => {
  for (const text of ['8443', 'yes', 'true', '007', '0x1F', '1_000', '12:30', '2024-05-01', '0b101', '-5', '+5']) {
    it(`keeps ${text} as it was written`, () => {
      expect(ruleOf(`{key: k, value: ${text}, ${HOUR}}`)).to.include({ value: text, text: `k_${text}` });
    });
  }

  for (const text of ['~', 'null', 'NULL', '']) {
    it(`takes value: ${text || '(nothing)'} for no value`, () => {
      expect(ruleOf(`{key: k, value: ${text}, ${HOUR}}`)).to.include({ value: '', text: 'k' });
    });
  }

  const counts: Readonly<Record<string, number>> = {
    '0x10': 16,
    '012': 10,
    '1_000': 1000,
    '~': 0,
    '4294967295': 4294967295,
  };
  for (const [text, count] of Object.entries(counts)) {
    it(`reads requests_per_unit: ${text} as ${count}`, () => {
      expect(ruleOf(`{key: k, rate_limit: {unit: hour, requests_per_unit: ${text}}}`).limits).to.deep.equal([
        limit({ requestsPerUnit: count, unit: 'hour' }),
      ]);
    });
  }

  it('takes units in any case', () => {
    expect(ruleOf('{key: k, rate_limit: {unit: WeeK, requests_per_unit: 1}}').limits[0]?.unit).to.equal('week');
  });

  it('takes yes and on for true, and only for booleans', () => {
    const rule = ruleOf(`{key: k, shadow_mode: yes, quota_mode: on, detailed_metric: off, name: yes, ${HOUR}}`);
    expect(rule).to.include({ shadowMode: true, quotaMode: true, detailedMetric: false });
  });

  it('ignores flags under rate_limit', () => {
    const rule = ruleOf(
      '{key: k, rate_limit: {unit: hour, requests_per_unit: 1, shadow_mode: true, quota_mode: true}}',
    );
    expect(rule).to.include({ shadowMode: false, quotaMode: false });
  });
});

describe('metadata', () => {
  it('follows YAML 1.1: below the first level y and no are keys "true" and "false"', () => {
    const rule = ruleOf(
      '{key: a, metadata: {inner: {y: 1, 2: two, no: off}, plain: on, text: "on", oct: 010, hex: 0x10, exp: 1e3, under: 1_000, none: ~}}',
    );
    expect(JSON.parse(JSON.stringify(rule.metadata))).to.deep.equal({
      inner: { true: 1, 2: 'two', false: false },
      plain: true,
      text: 'on',
      oct: 8,
      hex: 16,
      exp: 1000,
      under: 1000,
      none: null,
    });
  });

  it('is frozen to its depth, and holds a key __proto__ like any other', () => {
    const metadata = ruleOf('{key: a, metadata: {__proto__: {list: [{deep: 1}]}}}').metadata!;
    expect(Object.keys(metadata)).to.deep.equal(['__proto__']);
    const inner = Object.values(metadata)[0] as { list: { deep: number }[] };
    expect([metadata, inner, inner.list, inner.list[0]].every(Object.isFrozen)).to.equal(true);
    expect(({} as { list?: unknown }).list).to.equal(undefined);
  });
});

describe('forms of YAML', () => {
  it('reads only the first document', () => {
    const ruleset = rulesetOf('domain: one\n---\ndomain: two\n');
    expect([...ruleset.domains.keys()]).to.deep.equal(['one']);
  });

  it('does not look at a second document that is broken', () => {
    expect(problemsOf('domain: one\n---\ndomain: [\n\x01')).to.deep.equal([]);
  });

  it('merges &anchors with <<, and a key below the merge wins', () => {
    const ruleset = rulesetOf(`domain: d
descriptors:
  - {key: a, rate_limit: &shared {unit: hour, requests_per_unit: 17}}
  - {key: b, rate_limit: {<<: *shared, requests_per_unit: 19}}
  - {key: c, rate_limit: {requests_per_unit: 19, <<: *shared}}
`);
    expect(ruleset.rules.map(({ limits }) => limits[0]?.requestsPerUnit)).to.deep.equal([17, 19, 17]);
  });

  it('takes the later of two equal keys', () => {
    expect([...rulesetOf('domain: one\ndomain: two\n').domains.keys()]).to.deep.equal(['two']);
  });

  it('adds a second rate_limit to the first, as go-yaml does', () => {
    const rule = ruleOf('{key: a, rate_limit: {unit: hour, requests_per_unit: 5}, rate_limit: {requests_per_unit: 6}}');
    expect(rule.limits).to.deep.equal([limit({ requestsPerUnit: 6, unit: 'hour' })]);
  });

  it('reads JSON', () => {
    const text = JSON.stringify({
      domain: 'd',
      descriptors: [{ key: 'k', rate_limit: { unit: 'day', requests_per_unit: 3 } }],
    });
    expect(rulesetOf(text).rules[0]!.limits).to.deep.equal([limit({ requestsPerUnit: 3, unit: 'day' })]);
  });

  it('counts columns behind a byte order mark from 1', () => {
    const [problem] = problemsOf('\ufeffdomain: d\r\nversion: 2\r\n');
    expect(problem).to.include({ line: 2, column: 1, source: 'version: 2' });
    expect(problemsOf('\ufeffdomains: d\n')[0]).to.include({ line: 1, column: 1, source: 'domains: d' });
  });
});

describe('hostile files', () => {
  const loading = /^error loading config file: /;
  const hostile: Readonly<Record<string, string>> = {
    'a control character': 'domain: d\x07',
    'half a character': 'domain: d\ud800',
    '20,000 open brackets': '['.repeat(20_000),
    '20,000 dashes': '- '.repeat(20_000),
    'a map 3,000 levels deep': Array.from({ length: 3_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    'an alias inside of itself': 'domain: d\ndescriptors: &a [{key: k, descriptors: *a}]',
    'an alias of nothing': 'domain: *d',
    'a list as key': '? [domain]\n: d',
    'a merge of a text': 'domain: d\n<<: text',
    'a tag that does not fit': 'domain: d\ndescriptors: [{key: k, shadow_mode: !!int x}]',
  };
  for (const [what, text] of Object.entries(hostile)) {
    it(`refuses ${what} with one problem`, () => {
      const problems = problemsOf(text);
      expect(problems.map(({ message }) => message)).to.satisfy(
        (all: string[]) => all.length === 1 && loading.test(all[0]!),
      );
    });
  }

  it(`accepts 100 levels of rules and refuses ${MAX_YAML_DEPTH}`, () => {
    const deep = (levels: number): string =>
      `domain: d\ndescriptors: ${'[{key: k, descriptors: '.repeat(levels)}[]${'}]'.repeat(levels)}`;
    expect(rulesetOf(deep(100)).rules).to.have.length(100);
    expect(problemsOf(deep(MAX_YAML_DEPTH))[0]!.message).to.include('nested deeper than');
  });

  it('refuses aliases that would stand for a billion nodes', () => {
    const lines = Array.from(
      { length: 9 },
      (_, i) =>
        `  a${i}: &a${i} [${Array(9)
          .fill(i === 0 ? '{key: k}' : `*a${i - 1}`)
          .join(', ')}]`,
    );
    const problems = problemsOf(`domain: d\nmetadata:\n${lines.join('\n')}\n`);
    expect(problems.map(({ message }) => message)).to.have.length(1);
    expect(problems[0]!.message).to.include('multiply');
  });

  it('tells no more than 100 problems of 10,000', () => {
    const text = `domain: d\ndescriptors:\n${'  - {ky: a}\n'.repeat(10_000)}`;
    expect(problemsOf(text)).to.have.length(100);
  });
});
