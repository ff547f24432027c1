import type { RulesDocument } from '../core/ports.ts';
import type { Json, JsonObject } from '../core/ruleset.ts';
import { checkKeys, type KeyFindings } from './check-keys.ts';
import { Problems, type SourceText, sourceText } from './problem.ts';
import { readResource } from './resource-reader.ts';
import { keysOf, type SchemaKey, type SchemaLevel } from './schema.ts';
import { readYaml, YamlError, type YamlMap, type YamlNode, type YamlScalar } from './yaml-reader.ts';
import { goScalar, resolve } from './yaml-scalar.ts';
import { checkTree, forEachPair, real } from './yaml-tree.ts';

/** What a map of the file holds, by the names it has there. */
interface Draft {
  /** Where it was written. */
  readonly node: YamlNode;
  /** false: a value in it has a problem already, so that nothing should be said about what is missing. */
  sound: boolean;
}

export interface FileDraft extends Draft {
  domain: string;
  descriptors: RuleDraft[];
  /** null: not said. */
  count_denied: boolean | null;
}

export interface RuleDraft extends Draft {
  key: string;
  value: string;
  rate_limit: LimitDraft | null;
  /** null: not said. */
  rate_limits: LimitDraft[] | null;
  descriptors: RuleDraft[];
  shadow_mode: boolean;
  quota_mode: boolean;
  share_threshold: boolean;
  detailed_metric: boolean;
  value_to_metric: boolean;
  hash_value: boolean;
  on_store_failure: string;
  metadata: JsonObject | null;
}

export interface LimitDraft extends Draft {
  requests_per_unit: number;
  unit: string;
  /** null: not said; so with all that are not of the Go service's format. */
  unit_multiplier: number | null;
  algorithm: string | null;
  burst: number | null;
  calendar: boolean;
  time_zone: string | null;
  unlimited: boolean;
  name: string;
  replaces: NameDraft[];
  /** Only of an item of `rate_limits`. */
  shadow_mode: boolean;
}

export interface NameDraft extends Draft {
  name: string;
}

export interface ParsedDocument {
  readonly source: SourceText;
  /** null when the text could not be read at all; then `problems` says why. */
  readonly file: FileDraft | null;
  readonly problems: Problems;
}

const LOADING = 'error loading config file: ';
/** The largest uint32. */
const MAX_COUNT = 4_294_967_295n;

/** One file as the Go service reads it, with every problem of keys and types. Meaning is checked when it is compiled. */
export function parse(document: RulesDocument): ParsedDocument {
  const resource = document.kind === 'resource' ? readResource(document) : null;
  const source = resource?.source ?? sourceText(document.name, document.text);
  const problems = new Problems();
  try {
    const root = resource === null ? readYaml(document.text) : resource.root;
    if (root !== null) checkTree(root);
    return { source, problems, file: fileOf(root, source, problems) };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    problems.add(source, error.at, LOADING + error.message);
    return { source, problems, file: null };
  }
}

function fileOf(root: YamlNode | null, source: SourceText, problems: Problems): FileDraft | null {
  const found = root === null ? null : real(root);
  if (found === null || (found.kind === 'scalar' && resolve(found).type === 'null')) {
    return emptyFile(found ?? { kind: 'map', at: 0, pairs: [] });
  }
  if (found.kind !== 'map') {
    problems.add(
      source,
      found.at,
      `${LOADING}a rules file is a map with 'domain' and 'descriptors', not ${describe(found)}`,
    );
    return null;
  }
  const findings = checkKeys(found, source, problems);
  const file = emptyFile(found);
  new DraftReader(source, problems, findings).fill(file, found, 'file');
  return file;
}

/** Reads values into drafts by the schema. A key that is written twice is read twice, the later over the earlier. */
class DraftReader {
  readonly #source: SourceText;
  readonly #problems: Problems;
  readonly #findings: KeyFindings;

  constructor(source: SourceText, problems: Problems, findings: KeyFindings) {
    this.#source = source;
    this.#problems = problems;
    this.#findings = findings;
  }

  fill(draft: Draft, map: YamlMap, level: SchemaLevel): void {
    const keys = keysOf(level);
    forEachPair(map, (key, value) => {
      const schema = keys.get(this.#findings.meant.get(key) ?? (real(key) as YamlScalar).text);
      if (schema === undefined || this.#problems.full) return;
      if (this.#findings.bad.has(value)) draft.sound = false;
      else this.#set(draft as Draft & Record<string, unknown>, schema, value);
    });
  }

  #set(draft: Draft & Record<string, unknown>, schema: SchemaKey, value: YamlNode): void {
    const { key, type } = schema;
    const found = real(value);
    const scalar = found.kind === 'scalar' ? resolve(found) : null;
    switch (type) {
      case 'text':
        if (scalar === null) break;
        draft[key] = scalar.type === 'null' ? '' : textOf(found as YamlScalar);
        return;
      case 'bool':
        if (scalar?.type !== 'bool' && scalar?.type !== 'null') break;
        // Null is what the draft had to begin with: false, but for a key that may be left unsaid.
        draft[key] = scalar.type === 'bool' ? scalar.value : key === 'count_denied' ? null : false;
        return;
      case 'count': {
        const count = scalar?.type === 'null' ? 0n : scalar?.type === 'float' ? floor(scalar.value) : scalar?.value;
        if (typeof count !== 'bigint' || count < 0n || count > MAX_COUNT) break;
        draft[key] = Number(count);
        return;
      }
      case 'free':
        if (scalar?.type === 'null') draft[key] = null;
        else if (found.kind === 'map') draft[key] = jsonOf(found, draft[key] as JsonObject | null, textOf);
        else break;
        return;
      case 'limit':
        if (scalar?.type === 'null') draft[key] = isNil(found as YamlScalar) ? null : emptyLimit(found);
        else if (found.kind === 'map') draft[key] = this.#limit(found, draft[key] as LimitDraft | null);
        else break;
        return;
      case 'rules':
      case 'limits':
      case 'names':
        if (scalar?.type === 'null') draft[key] = [];
        else if (found.kind === 'list') draft[key] = this.#items(draft, found.items, type);
        else break;
        return;
    }
    draft.sound = false;
    // A list with an item that is no map has its problem already.
    if (found.kind === 'list' && found.items.some((item) => this.#findings.bad.has(item))) return;
    this.#problems.add(this.#source, value.at, `${LOADING}'${key}' takes ${TAKES[type]}, not ${describe(found)}`);
  }

  #limit(map: YamlMap, before: LimitDraft | null): LimitDraft {
    const limit = before ?? emptyLimit(map);
    this.fill(limit, map, 'rate_limit');
    return limit;
  }

  #items(of: Draft, items: readonly YamlNode[], type: 'rules' | 'limits' | 'names'): Draft[] {
    const drafts: Draft[] = [];
    for (const item of items) {
      const map = real(item);
      if (map.kind !== 'map') {
        // It was refused with the keys.
        of.sound = false;
        continue;
      }
      const { empty, level } = ITEMS[type];
      const draft = empty(map);
      this.fill(draft, map, level);
      drafts.push(draft);
    }
    return drafts;
  }
}

const ITEMS = {
  rules: { empty: emptyRule, level: 'rule' },
  limits: { empty: emptyLimit, level: 'rate_limits' },
  names: { empty: emptyName, level: 'replaces' },
} as const;

const TAKES: Readonly<Record<SchemaKey['type'], string>> = {
  text: 'a text',
  bool: 'true or false',
  count: `a whole number from 0 to ${MAX_COUNT}`,
  rules: 'a list of rules',
  limit: 'a map',
  limits: 'a list of limits',
  names: 'a list',
  free: 'a map',
};

/** go-yaml takes `Null` and `NULL` for an empty map where a structure belongs, other spellings for none. */
function isNil(scalar: YamlScalar): boolean {
  return scalar.text !== 'Null' && scalar.text !== 'NULL';
}

function floor(value: number): bigint | undefined {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined;
}

/** Bare numbers, booleans and dates are taken as they were written. */
function textOf(scalar: YamlScalar): string {
  const resolved = resolve(scalar);
  if (resolved.type === 'null') return '';
  return resolved.type === 'text' ? resolved.value : scalar.text;
}

function describe(node: YamlNode): string {
  if (node.kind === 'alias') return describe(node.target);
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  const resolved = resolve(node);
  return resolved.type === 'text' ? `the text ${JSON.stringify(resolved.value)}` : node.text || 'nothing';
}

/** A frozen object without prototype, so that every key is one of its own. The keys of `before` stay unless set anew. */
function jsonOf(map: YamlMap, before: JsonObject | null, nameOf: (key: YamlScalar) => string): JsonObject {
  const object: Record<string, Json> = Object.assign(Object.create(null), before);
  forEachPair(map, (key, value) => {
    object[nameOf(real(key) as YamlScalar)] = jsonValue(value);
  });
  return Object.freeze(object);
}

/** Below the first level keys are typed too: `y` is the key "true" (YAML 1.1). */
function jsonValue(node: YamlNode): Json {
  const found = real(node);
  if (found.kind === 'map') return jsonOf(found, null, (key) => goScalar(resolve(key)));
  if (found.kind === 'list') return Object.freeze(found.items.map(jsonValue));
  if (found.kind !== 'scalar') return null;
  const scalar = resolve(found);
  if (scalar.type === 'null') return null;
  return typeof scalar.value === 'bigint' ? Number(scalar.value) : scalar.value;
}

function emptyFile(node: YamlNode): FileDraft {
  return { node, sound: true, domain: '', descriptors: [], count_denied: null };
}

function emptyLimit(node: YamlNode): LimitDraft {
  return {
    node,
    sound: true,
    requests_per_unit: 0,
    unit: '',
    unit_multiplier: null,
    algorithm: null,
    burst: null,
    calendar: false,
    time_zone: null,
    unlimited: false,
    name: '',
    replaces: [],
    shadow_mode: false,
  };
}

function emptyName(node: YamlNode): NameDraft {
  return { node, sound: true, name: '' };
}

function emptyRule(node: YamlNode): RuleDraft {
  return {
    node,
    sound: true,
    key: '',
    value: '',
    rate_limit: null,
    rate_limits: null,
    descriptors: [],
    shadow_mode: false,
    quota_mode: false,
    share_threshold: false,
    detailed_metric: false,
    value_to_metric: false,
    hash_value: false,
    on_store_failure: '',
    metadata: null,
  };
}

/** Where a key's value stands in a draft's map, else where the map starts. */
export function placeOf(draft: Draft, key: string): number {
  return saidAt(draft, key) ?? draft.node.at;
}

/** Where a key's value stands in a draft's map; null when the key is not there. */
export function saidAt(draft: Draft, key: string): number | null {
  let at: number | null = null;
  const map = real(draft.node);
  if (map.kind === 'map') {
    forEachPair(map, (found, value) => {
      if ((real(found) as YamlScalar).text === key) at = value.at;
    });
  }
  return at;
}
