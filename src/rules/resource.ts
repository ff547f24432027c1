import type { Problem, RulesDocument } from '../core/ports.ts';
import type { Json, JsonObject } from '../core/ruleset.ts';
import { Problems } from './problem.ts';
import { pathOf, placeIn } from './resource-reader.ts';
import { keysOf, nearest, type SchemaLevel } from './schema.ts';

/** A RateLimitConfig as a control plane sends it, with the names of its fields; what is absent is as good as empty. */
export interface Resource {
  readonly name?: string;
  readonly domain?: string;
  readonly descriptors?: readonly ResourceRule[];
}

export interface ResourceRule {
  readonly key?: string;
  readonly value?: string;
  readonly rate_limit?: JsonObject | null;
  readonly descriptors?: readonly ResourceRule[];
  readonly shadow_mode?: boolean;
  readonly detailed_metric?: boolean;
  readonly quota_mode?: boolean;
  readonly metadata?: JsonObject | null;
}

export interface ReadResource {
  readonly document: RulesDocument;
  readonly problems: readonly Problem[];
}

/** Where a descriptor's `metadata` holds the words of a rules file that the message lacks. */
export const OWN_WORDS_KEY = 'weir';

/** The fields of the message, by the level of a rules file. They have the names of its keys. */
const FIELDS: Readonly<Partial<Record<SchemaLevel, readonly string[]>>> = {
  file: ['domain', 'descriptors'],
  rule: [...['key', 'value', 'rate_limit', 'descriptors', 'shadow_mode', 'detailed_metric', 'quota_mode'], 'metadata'],
  rate_limit: ['unit', 'requests_per_unit', 'unlimited', 'name', 'replaces'],
};

/** Keys of a rules file that can only travel under OWN_WORDS_KEY. */
export function ownWords(level: SchemaLevel): readonly string[] {
  return [...keysOf(level).keys()].filter((key) => FIELDS[level]?.includes(key) !== true);
}

/** For docs/rules.md: every key that can only travel so, by where it stands under OWN_WORDS_KEY. */
export function ownWordsMarkdown(): string[] {
  const rows: readonly (readonly [place: string, level: SchemaLevel])[] = [
    [`\`${OWN_WORDS_KEY}\``, 'rule'],
    ...[...NESTED].map(([word, level]): [string, SchemaLevel] => [`\`${word}\` in \`${OWN_WORDS_KEY}\``, level]),
  ];
  return [
    '| Where | Words |',
    '|---|---|',
    ...rows.map(
      ([place, level]) =>
        `| ${place} | ${
          ownWords(level)
            .map((word) => `\`${word}\``)
            .join(', ') || 'none yet'
        } |`,
    ),
  ];
}

/** What stands under OWN_WORDS_KEY beside the words of the rule itself: a map of words of another level. */
const NESTED: ReadonlyMap<string, SchemaLevel> = new Map([
  ['rate_limit', 'rate_limit'],
  ['domain', 'file'],
]);

type Words = Record<string, Json>;
type Levels = Readonly<Partial<Record<SchemaLevel, Words>>>;
type Refuse = (text: string, hint?: string) => void;

/** The rules file that a resource stands for. Its problems are those of own words in a wrong place. */
export function resourceDocument(resource: Resource): ReadResource {
  const { domain = '', descriptors = [] } = resource;
  const name = resource.name || domain;
  const problems = new Problems();
  const ofDomain: Words = {};

  function ruleOf(message: ResourceRule, above: string, isTop: boolean): JsonObject {
    const { metadata, rate_limit: limit, descriptors: below, ...rule } = message;
    const path = pathOf(above, message);
    const refuse: Refuse = (text, hint) =>
      problems.addWhole(placeIn(name, path), `metadata '${OWN_WORDS_KEY}': ${text}`, hint);
    const { [OWN_WORDS_KEY]: own, ...free } = metadata ?? {};
    const words: Words = {};
    const ofLimit: Words = {};
    const levels: Levels = { rule: words, rate_limit: ofLimit, ...(isTop ? { file: ofDomain } : {}) };
    if (own !== undefined) sortWords(own, 'rule', levels, refuse);
    return {
      ...rule,
      ...words,
      ...(limit || Object.keys(ofLimit).length > 0 ? { rate_limit: { unit: 'UNKNOWN', ...limit, ...ofLimit } } : {}),
      ...(below ? { descriptors: below.map((each) => ruleOf(each, path, false)) } : {}),
      ...(Object.keys(free).length > 0 ? { metadata: free } : {}),
    };
  }

  const rules = descriptors.map((rule) => ruleOf(rule, domain, true));
  const text = JSON.stringify({ domain, ...ofDomain, descriptors: rules });
  return { document: { name, text, kind: 'resource' }, problems: problems.all };
}

/** Puts every word at the level that it belongs to. `levels` are those that the descriptor may speak of. */
function sortWords(given: Json, level: SchemaLevel, levels: Levels, refuse: Refuse): void {
  const into = levels[level];
  if (into === undefined) {
    refuse('words of the domain stand in a descriptor at the top alone');
    return;
  }
  if (!isMap(given)) {
    refuse(`the words of a ${level === 'file' ? 'domain' : level} are a map`);
    return;
  }
  for (const [word, value] of Object.entries(given)) {
    const nested = level === 'rule' ? NESTED.get(word) : undefined;
    if (nested !== undefined) sortWords(value, nested, levels, refuse);
    else if (!ownWords(level).includes(word)) refuse(`unknown word '${word}'`, hint(word, level));
    else if (Object.hasOwn(into, word) && JSON.stringify(into[word]) !== JSON.stringify(value)) {
      refuse(`'${word}' is ${JSON.stringify(into[word])} in another descriptor`, 'say it in one of them');
    } else {
      into[word] = value;
    }
  }
}

function hint(word: string, level: SchemaLevel): string {
  if (FIELDS[level]?.includes(word)) return 'it is a field of the message';
  const near = nearest(word, ownWords(level));
  return near === '' ? `it takes ${[...ownWords(level)].join(', ') || 'nothing here'}` : `did you mean '${near}'?`;
}

function isMap(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
