import type { Outcome } from '../core/decision.ts';
import type { Problem, RulesDocument } from '../core/ports.ts';
import type { CheckRequest, Descriptor, Entry, Override } from '../core/request.ts';
import { isUnit, UNIT_NUMBER } from '../core/unit.ts';
import { Problems, type SourceText, sourceText } from '../rules/problem.ts';
import { nearest } from '../rules/schema.ts';
import { readYaml, YamlError, type YamlMap, type YamlNode } from '../rules/yaml-reader.ts';
import { resolve } from '../rules/yaml-scalar.ts';
import { checkTree, forEachPair, real } from '../rules/yaml-tree.ts';
import type { Case, CaseFile, CaseStep, Expected } from './case-file.ts';

export type ReadCases =
  | { readonly ok: true; readonly file: CaseFile }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const MOST_TIMES = 1_000_000;
const MAX_COUNT = 4_294_967_295;
/** Where the clock starts when nobody says: a Monday, and the first day of a month and a year. */
const START = '2024-01-01T00:00:00Z';

const KEYS = {
  file: ['domain', 'start', 'cases'],
  case: ['name', 'domain', 'start', 'steps'],
  step: ['ask', 'hits', 'times', 'expect', 'wait'],
  descriptor: ['entries', 'hits', 'refund', 'limit'],
  expect: ['outcome', 'rule', 'limit', 'remaining', 'reset', 'descriptors'],
} as const;
type Place = keyof typeof KEYS;

/** Reads a file of cases whole, with every problem in it. */
export function readCases(document: RulesDocument): ReadCases {
  const source = sourceText(document.name, document.text);
  const problems = new Problems();
  try {
    const root = readYaml(document.text);
    if (root !== null) checkTree(root);
    const file = new CaseReader(source, problems).file(root);
    return problems.all.length === 0 ? { ok: true, file } : { ok: false, problems: problems.all };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    problems.add(source, error.at, error.message);
    return { ok: false, problems: problems.all };
  }
}

type Fields = ReadonlyMap<string, YamlNode>;

class CaseReader {
  readonly #source: SourceText;
  readonly #problems: Problems;

  constructor(source: SourceText, problems: Problems) {
    this.#source = source;
    this.#problems = problems;
  }

  file(root: YamlNode | null): CaseFile {
    const fields = this.#fields(root, 'file', 'a file of cases is a map with domain and cases');
    const domain = this.#text(fields.get('domain'), '');
    const startUs = this.#time(fields.get('start'), Date.parse(START) * 1_000);
    const cases = this.#list(fields.get('cases'), root, 'cases').map((node) => this.#case(node, domain, startUs));
    return { file: this.#source.file, cases };
  }

  #case(node: YamlNode, domain: string, startUs: number): Case {
    const fields = this.#fields(node, 'case', 'a case is a map with name and steps');
    const own = this.#text(fields.get('domain'), domain);
    if (own === '') this.#refuse(node, 'which domain is asked?', 'write domain: here, or at the top of the file');
    return {
      name: this.#text(fields.get('name'), `line ${this.#line(node)}`),
      startUs: this.#time(fields.get('start'), startUs),
      line: this.#line(node),
      steps: this.#list(fields.get('steps'), node, 'steps').map((step) => this.#step(step, own)),
    };
  }

  #step(node: YamlNode, domain: string): CaseStep {
    const fields = this.#fields(node, 'step', 'a step is a map with ask and expect, or with wait');
    const wait = fields.get('wait');
    const ask = fields.get('ask');
    if (wait !== undefined) {
      if (fields.size > 1) this.#refuse(node, 'wait stands alone', 'make two steps of it');
      return { kind: 'wait', us: this.#seconds(wait, 0) * 1_000_000 };
    }
    if (ask === undefined) this.#refuse(node, 'a step asks or waits', "write 'ask: key=value' or 'wait: 10s'");
    const found = ask === undefined ? null : real(ask);
    const asked = found === null ? [] : found.kind === 'list' ? found.items : [found];
    const request: CheckRequest = {
      domain,
      descriptors: asked.map((each) => this.#descriptor(each)),
      hits: this.#count(fields.get('hits'), 0, MAX_COUNT),
    };
    const { expected, each } = this.#expectation(fields.get('expect'), request);
    const times = this.#count(fields.get('times'), 1, MOST_TIMES);
    return { kind: 'ask', line: this.#line(node), request, times, expected, each };
  }

  /** `key=value,key2=value2`, or a map of its parts. */
  #descriptor(node: YamlNode): Descriptor {
    if (real(node).kind !== 'map') {
      return { entries: this.#entries(node), limit: null, hits: null, refund: false };
    }
    const fields = this.#fields(node, 'descriptor', '');
    const entries = fields.get('entries');
    if (entries === undefined) this.#refuse(node, 'entries: is missing', "write 'entries: key=value,key2=value2'");
    const hits = fields.get('hits');
    return {
      entries: entries === undefined ? [] : this.#entries(entries),
      limit: this.#override(fields.get('limit')),
      hits: hits === undefined ? null : this.#count(hits, 0, MAX_COUNT),
      refund: this.#text(fields.get('refund'), 'false') === 'true',
    };
  }

  #entries(node: YamlNode): readonly Entry[] {
    return this.#text(node, '')
      .split(/(?<!\\),/)
      .map((part) => {
        const plain = part.replaceAll('\\,', ',').trim();
        const at = plain.indexOf('=');
        if (plain === '' || at === 0) this.#refuse(node, 'an entry needs a key', "write 'key=value,key2=value2'");
        return at < 0 ? { key: plain, value: '' } : { key: plain.slice(0, at), value: plain.slice(at + 1) };
      });
  }

  #override(node: YamlNode | undefined): Override | null {
    if (node === undefined) return null;
    const [, requests = '', unit = ''] = /^(\d{1,10})\s*\/\s*(\w+)$/.exec(this.#text(node, '')) ?? [];
    if (isUnit(unit)) return { requestsPerUnit: Number(requests), unit: UNIT_NUMBER[unit] };
    this.#refuse(node, 'this is no limit', "write it as '10/minute'");
    return null;
  }

  #expectation(node: YamlNode | undefined, { descriptors }: CheckRequest) {
    if (node === undefined) return { expected: {}, each: [] };
    if (real(node).kind !== 'map') return { expected: this.#expected(new Map([['outcome', node]])), each: [] };
    const fields = this.#fields(node, 'expect', '');
    const parts = fields.get('descriptors');
    const each = parts === undefined ? [] : this.#list(parts, node, 'descriptors');
    if (parts !== undefined && each.length !== descriptors.length) {
      this.#refuse(parts, `${each.length} expectations for ${descriptors.length} descriptors`, 'write one for each');
    }
    const own = [...fields.keys()].find((key) => key !== 'outcome' && key !== 'descriptors');
    if (own !== undefined && descriptors.length > 1) {
      this.#refuse(fields.get(own)!, `whose ${own}? there are several descriptors`, 'write it below descriptors:');
    }
    return {
      expected: this.#expected(fields),
      each: each.map((one) => {
        const isMap = real(one).kind === 'map';
        return this.#expected(isMap ? this.#fields(one, 'expect', '') : new Map([['outcome', one]]));
      }),
    };
  }

  #expected(fields: Fields): Expected {
    const [outcome, rule, limit] = [fields.get('outcome'), fields.get('rule'), fields.get('limit')];
    const [remaining, reset] = [fields.get('remaining'), fields.get('reset')];
    return {
      ...(outcome === undefined ? {} : { outcome: this.#outcome(outcome) }),
      ...(rule === undefined ? {} : { rule: this.#text(rule, '') }),
      ...(limit === undefined ? {} : { limit: this.#text(limit, '') }),
      ...(remaining === undefined ? {} : { remaining: this.#count(remaining, 0, MAX_COUNT) }),
      ...(reset === undefined ? {} : { reset: this.#seconds(reset, 0) }),
    };
  }

  #outcome(node: YamlNode): Outcome {
    const text = this.#text(node, '').toLowerCase();
    if (text === 'ok' || text === 'over_limit') return text;
    this.#refuse(node, `unknown outcome '${text}'`, 'it is ok or over_limit');
    return 'ok';
  }

  #fields(node: YamlNode | null, place: Place, wanted: string): Fields {
    const fields = new Map<string, YamlNode>();
    const map = node === null ? null : real(node);
    if (map?.kind !== 'map') {
      this.#refuse(node, wanted);
      return fields;
    }
    const known: readonly string[] = KEYS[place];
    forEachPair(map as YamlMap, (keyNode, value) => {
      const key = this.#text(keyNode, '');
      const near = nearest(key, known);
      if (!known.includes(key)) {
        this.#refuse(
          keyNode,
          `unknown key '${key}'`,
          near === '' ? `here are ${known.join(', ')}` : `did you mean '${near}'?`,
        );
      }
      fields.set(key, value);
    });
    return fields;
  }

  #list(
    node: YamlNode | undefined,
    above: YamlNode | null,
    wanted: 'cases' | 'steps' | 'descriptors',
  ): readonly YamlNode[] {
    const found = node === undefined ? null : real(node);
    if (found?.kind === 'list' && found.items.length > 0) return found.items;
    this.#refuse(node ?? above, `${wanted}: ${found?.kind === 'list' ? 'holds none' : 'a list is missing'}`);
    return [];
  }

  #text(node: YamlNode | undefined, absent: string): string {
    if (node === undefined) return absent;
    const found = real(node);
    if (found.kind === 'scalar') return found.text;
    this.#refuse(node, `a text belongs here, not a ${found.kind}`);
    return absent;
  }

  #count(node: YamlNode | undefined, absent: number, most: number): number {
    if (node === undefined) return absent;
    const found = real(node);
    const scalar = found.kind === 'scalar' ? resolve(found) : null;
    const count = scalar?.type === 'int' ? Number(scalar.value) : Number.NaN;
    if (count >= 0 && count <= most) return count;
    this.#refuse(node, `a whole number from 0 to ${most} belongs here`);
    return absent;
  }

  /** `90s`, `1h30m`, `31d`. */
  #seconds(node: YamlNode, absent: number): number {
    const text = this.#text(node, '');
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy)];
    const read = parts.reduce((length, [part]) => length + part.length, 0);
    const seconds = parts.reduce((sum, [, number, unit]) => sum + Number(number) * SECONDS[unit ?? '']!, 0);
    if (text !== '' && read === text.length) return seconds;
    this.#refuse(node, `'${text}' is no duration`, 'write it as 500ms, 90s, 1h30m or 31d');
    return absent;
  }

  #time(node: YamlNode | undefined, absent: number): number {
    if (node === undefined) return absent;
    const ms = Date.parse(this.#text(node, ''));
    if (ms > 0) return ms * 1_000;
    this.#refuse(node, 'this is no time', 'write it as 2026-11-21T08:00:00Z');
    return absent;
  }

  #line(node: YamlNode): number {
    return this.#source.place(node.at).line;
  }

  #refuse(node: YamlNode | null, message: string, hint = ''): void {
    this.#problems.add(this.#source, node?.at ?? 0, message, hint);
  }
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 };
