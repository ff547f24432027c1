import { expect } from 'chai';
import fc from 'fast-check';
import { problemsOf, ruleOf, rulesetOf } from './rules.ts';

const messages = (text: string | Record<string, string>, merge = false): string[] =>
  problemsOf(text, merge).map(({ line, message }) => `${line} ${message}`);

describe('compiled rules', () => {
  const text = `domain: shop
descriptors:
  - key: top
    value: x
    share_threshold: false
    descriptors:
      - {key: "h*", rate_limit: {unit: hour, requests_per_unit: 2}}
      - {key: a, value: "b*c", value_to_metric: true, descriptors: [{key: leaf}]}
      - {key: a, value: b, rate_limit: {unlimited: true, name: free, replaces: [{name: x}, {name: y}]}}
      - {key: a}
`;

  it('are listed parents first, in file order, with their path and place', () => {
    const rules = rulesetOf(text).rules.map(({ path, at }) => `${path} ${at.file}:${at.line}:${at.column}`);
    expect(rules).to.deep.equal([
      'shop.top_x limits.yaml:3:5',
      'shop.top_x.h* limits.yaml:7:9',
      'shop.top_x.a_b*c limits.yaml:8:9',
      'shop.top_x.a_b*c.leaf limits.yaml:8:69',
      'shop.top_x.a_b limits.yaml:9:9',
      'shop.top_x.a limits.yaml:10:9',
    ]);
  });

  it('keeps wildcards in file order over both kinds, and every rule among the exact ones', () => {
    const level = rulesetOf(text).rules[0]!.children!;
    const a = level.byKey.get('a')!;
    expect(level.starKeys.map(({ order, literals }) => [order, literals])).to.deep.equal([[0, ['h', '']]]);
    expect(a.wildcards.map(({ order, literals }) => [order, literals])).to.deep.equal([[1, ['b', 'c']]]);
    expect([...a.exact.keys()]).to.deep.equal(['b*c', 'b']);
    expect(a.any?.text).to.equal('a');
    expect(level.byKey.get('h*')?.any?.text).to.equal('h*');
  });

  it('globs over key_value when the star is in the key', () => {
    const level = rulesetOf('domain: d\ndescriptors: [{key: "h*", value: v}]\n').domains.get('d')!.root;
    expect(level.starKeys[0]!.literals).to.deep.equal(['h', '_v']);
  });

  it('says that the metric varies at and below a flag, not beside it', () => {
    const varies = rulesetOf(text).rules.filter(({ metricVaries }) => metricVaries);
    expect(varies.map(({ path }) => path)).to.deep.equal(['shop.top_x.a_b*c', 'shop.top_x.a_b*c.leaf']);
  });

  it('has no limit when unlimited, and keeps what it replaces', () => {
    expect(rulesetOf(text).rules[4]).to.deep.include({
      limits: [],
      unlimited: true,
      replaces: ['x', 'y'],
    });
  });

  it('has no children for an empty list of descriptors', () => {
    expect(ruleOf('{key: a, descriptors: []}').children).to.equal(null);
  });

  it('finds a rule whose key is __proto__ or constructor', () => {
    const { byKey } = rulesetOf('domain: __proto__\ndescriptors: [{key: __proto__, value: constructor}]\n').domains.get(
      '__proto__',
    )!.root;
    expect(byKey.get('__proto__')?.exact.get('constructor')?.path).to.equal('__proto__.__proto___constructor');
    expect(byKey.get('toString')).to.equal(undefined);
  });

  it('shares one object between equal limits', () => {
    const limit = 'rate_limit: {unit: hour, requests_per_unit: 3}';
    const { rules } = rulesetOf(`domain: d\ndescriptors:\n  - {key: a, ${limit}}\n  - {key: b, ${limit}}\n`);
    expect(rules[0]!.limits[0]).to.be.an('object').that.equals(rules[1]!.limits[0]);
  });

  it('makes an empty ruleset of no files', () => {
    const ruleset = rulesetOf({});
    expect([ruleset.domains.size, ruleset.rules.length, ruleset.generation]).to.deep.equal([0, 0, 1]);
  });
});

describe('problems', () => {
  it('come all at once: keys first, then types, then meaning', () => {
    const text = `domain: d
descriptors:
  - key: a
    rate_limit: {unit: fortnight, requests_per_unit: 1}
  - key: b
    shadow_mode: "true"
  - ratelimit: {unit: hour, requests_per_unit: -1}
    key: a
  - {key: c, value: 1.5}
`;
    expect(messages(text)).to.deep.equal([
      "7 config error, unknown key 'ratelimit'",
      '9 error checking config',
      `6 error loading config file: 'shadow_mode' takes true or false, not the text "true"`,
      "7 error loading config file: 'requests_per_unit' takes a whole number from 0 to 4294967295, not -1",
      "4 invalid rate limit unit 'fortnight'",
      "7 duplicate descriptor composite key 'd.a'",
    ]);
  });

  it('say nothing of a missing key where a misspelled one was meant', () => {
    expect(messages('Domain: d\ndescriptors: [{ky: a, rate_limit: {uint: hour}}]\n')).to.deep.equal([
      "1 config error, unknown key 'Domain'",
      "2 config error, unknown key 'ky'",
      "2 config error, unknown key 'uint'",
    ]);
  });

  const hints: Readonly<Record<string, string>> = {
    ratelimit: 'rate_limit',
    'rate-limit': 'rate_limit',
    descriptor: 'descriptors',
    desciptors: 'descriptors',
    shadowmode: 'shadow_mode',
    vaule: 'value',
    Value: 'value',
    sharethreshold: 'share_threshold',
  };
  for (const [wrong, right] of Object.entries(hints)) {
    it(`suggests ${right} for ${wrong}`, () => {
      const [problem] = problemsOf(`domain: d\ndescriptors:\n  - key: a\n    ${wrong}: x\n`);
      expect(problem).to.include({
        message: `config error, unknown key '${wrong}'`,
        hint: `did you mean '${right}'?`,
      });
    });
  }

  it('suggests nothing for a word that is like none', () => {
    expect(problemsOf('domain: d\nversion: 2\n')[0]!.hint).to.equal('');
  });

  it('of a second file with the same domain include those of its rules', () => {
    const files = { 'a.yaml': 'domain: d\n', 'b.yaml': 'domain: d\ndescriptors: [{key: ""}]\n' };
    expect(messages(files)).to.deep.equal(["1 duplicate domain 'd' in config file", '2 descriptor has empty key']);
  });
});

describe('merged files', () => {
  it('add up at the top level in the order of their names, whatever order they come in', () => {
    const name = fc.stringMatching(/^[a-z]{1,6}\.yaml$/);
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat()), (names, picks) => {
        const shuffled = [...names].sort(() => (picks.next().value! % 2 === 0 ? 1 : -1));
        const files = Object.fromEntries(
          shuffled.map((file) => [file, `domain: d\ndescriptors: [{key: k, value: "${file}*"}, {key: "${file}"}]\n`]),
        );
        const ruleset = rulesetOf(files, true);
        const wanted = [...names].sort();
        const wildcards = ruleset.domains.get('d')!.root.byKey.get('k')!.wildcards;
        expect(wildcards.map(({ rule }) => rule.value)).to.deep.equal(wanted.map((file) => `${file}*`));
        expect(wildcards.map(({ order }) => order)).to.deep.equal(wanted.map((_, i) => i));
        expect(ruleset.rules.map(({ at }) => at.file)).to.deep.equal(wanted.flatMap((file) => [file, file]));
      }),
    );
  });

  it('are not merged deeper: the same key in two files is a duplicate', () => {
    const files = {
      'a.yaml': 'domain: d\ndescriptors: [{key: a}]\n',
      'b.yaml': 'domain: d\ndescriptors: [{key: a}]\n',
    };
    expect(messages(files, true)).to.deep.equal(["2 duplicate descriptor composite key 'd.a'"]);
  });
});

describe('count_denied', () => {
  const domainOf = (text: string) => rulesetOf(text).domains.get('d')?.countDenied;

  it('is unsaid, true or false of a domain', () => {
    expect(domainOf('domain: d\n')).to.equal(null);
    expect(domainOf('domain: d\ncount_denied:\n')).to.equal(null);
    expect(domainOf('domain: d\ncount_denied: false\n')).to.equal(false);
    expect(domainOf('count_denied: yes\ndomain: d\n')).to.equal(true);
  });

  it('is refused where it would mean nothing: in a rule', () => {
    const rule = '{ key: k, count_denied: false, rate_limit: { unit: hour, requests_per_unit: 1 } }';
    const [problem] = problemsOf(`domain: d\ndescriptors:\n  - ${rule}\n`);
    expect(problem).to.include({ line: 3, message: "config error, unknown key 'count_denied' here" });
    expect(problem?.hint).to.equal('it is a key of the file');
  });

  it('takes nothing but true and false', () => {
    expect(messages('domain: d\ncount_denied: 1\n')).to.have.length(1);
  });

  it('of merged files is what one of them says, and two must not contradict each other', () => {
    const files = (b: string) => ({
      'a.yaml': 'domain: d\ncount_denied: false\n',
      'b.yaml': `domain: d\n${b}`,
      'c.yaml': 'domain: d\n',
    });
    expect(rulesetOf(files(''), true).domains.get('d')?.countDenied).to.equal(false);
    expect(rulesetOf(files('count_denied: false\n'), true).domains.get('d')?.countDenied).to.equal(false);
    expect(messages(files('count_denied: true\n'), true)).to.deep.equal([
      "2 count_denied is false in another file of domain 'd'",
    ]);
  });
});

describe('on_store_failure', () => {
  const FILE = 'domain: d\ndescriptors:\n';

  it('is error, allow, deny or local beside a limit, else left to the service', () => {
    const rules = ['error', 'allow', 'deny', 'local'].map((word) =>
      ruleOf(`{ key: k, on_store_failure: ${word}, rate_limit: { unit: hour, requests_per_unit: 1 } }`),
    );
    expect(rules.map((rule) => rule.onStoreFailure)).to.deep.equal(['error', 'allow', 'deny', 'local']);
    expect(ruleOf('{ key: k, rate_limit: { unit: hour, requests_per_unit: 1 } }').onStoreFailure).to.equal(null);
  });

  it('is a problem where it is an unknown word, with the word that was meant', () => {
    const rule = '  - { key: k, on_store_failure: alow, rate_limit: { unit: hour, requests_per_unit: 1 } }\n';
    const [problem] = problemsOf(FILE + rule);
    expect(problem).to.include({ line: 3, message: "invalid on_store_failure 'alow'", hint: "did you mean 'allow'?" });
  });

  it('is a problem where there is no limit beside it, as rules below do not take it over', () => {
    const rule = '  - { key: k, on_store_failure: deny, descriptors: [{ key: l }] }\n';
    expect(problemsOf(FILE + rule).map(({ message }) => message)).to.deep.equal([
      'on_store_failure needs a rate_limit beside it',
    ]);
  });
});
