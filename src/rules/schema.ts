/** Where a key belongs. */
export type SchemaLevel = 'file' | 'rule' | 'rate_limit' | 'replaces';
export type SchemaType = 'text' | 'bool' | 'count' | 'rules' | 'limit' | 'names' | 'free';

export interface SchemaKey {
  readonly key: string;
  readonly level: SchemaLevel;
  readonly type: SchemaType;
  readonly required: boolean;
  readonly doc: string;
}

/** Every key of a rules file. The parser reads by it, and the table of the README is made from it. */
export const SCHEMA: readonly SchemaKey[] = [
  row(
    'file',
    'domain',
    'text',
    'Which callers the rules are for: the `domain` of a request. One file holds one domain.',
    true,
  ),
  row('file', 'descriptors', 'rules', 'The rules.'),
  row(
    'file',
    'count_denied',
    'bool',
    'false: a refused request of this domain consumes nothing. Beats `COUNT_DENIED`, either way.',
  ),
  row('rule', 'key', 'text', 'The key of a descriptor entry. A `*` stands for any text.', true),
  row('rule', 'value', 'text', 'Its value. A `*` stands for any text; without `value` the rule is for every value.'),
  row('rule', 'rate_limit', 'limit', 'The limit. A rule without one, and without rules below, lets its value pass.'),
  row('rule', 'descriptors', 'rules', 'Rules for the next entry of the descriptor.'),
  row('rule', 'shadow_mode', 'bool', 'Count and measure, never refuse.'),
  row('rule', 'quota_mode', 'bool', 'Refuse only when every quota rule of the request is over its limit.'),
  row('rule', 'share_threshold', 'bool', 'All values that match the wildcard share one counter.'),
  row('rule', 'detailed_metric', 'bool', 'The metric carries the value of every entry.'),
  row('rule', 'value_to_metric', 'bool', 'The metric carries the value of this entry.'),
  row(
    'rule',
    'on_store_failure',
    'text',
    'What `rate_limit` answers while the store cannot count: `error`, `allow`, `deny` or `local`. Without it STORE_FAILURE.',
  ),
  row('rule', 'metadata', 'free', 'Free values that are given back as dynamic metadata.'),
  row(
    'rate_limit',
    'requests_per_unit',
    'count',
    'How many hits a unit admits: 0 to 4294967295. Without it 0, which refuses all.',
  ),
  row(
    'rate_limit',
    'unit',
    'text',
    '`second`, `minute`, `hour`, `day`, `week`, `month` (30 days) or `year` (365 days). Needed unless `unlimited`.',
  ),
  row('rate_limit', 'unlimited', 'bool', 'No limit and no counter; takes no `unit`.'),
  row('rate_limit', 'name', 'text', 'A name for `replaces` and for the answer.'),
  row(
    'rate_limit',
    'replaces',
    'names',
    'Limits that do not count when this one matches in the same request: a list of `name: text`.',
  ),
  row('replaces', 'name', 'text', 'The name of a limit.', true),
];

function row(level: SchemaLevel, key: string, type: SchemaType, doc: string, required = false): SchemaKey {
  return { key, level, type, required, doc };
}

const KNOWN: ReadonlySet<string> = new Set(SCHEMA.map(({ key }) => key));
const BY_LEVEL: ReadonlyMap<SchemaLevel, ReadonlyMap<string, SchemaKey>> = new Map(
  (['file', 'rule', 'rate_limit', 'replaces'] as const).map((level) => [
    level,
    new Map(SCHEMA.filter((known) => known.level === level).map((known) => [known.key, known])),
  ]),
);

/** Not of the Go service's format. */
const OWN: ReadonlySet<string> = new Set(['count_denied']);

/** Go lets every known key stand at every level; at the wrong one it means nothing. */
export function isKnownKey(key: string): boolean {
  return KNOWN.has(key);
}

/** The level where a key of our own belongs when this is another one: there it would mean nothing, and nobody would know. */
export function rightLevelOf(key: string, level: SchemaLevel): SchemaLevel | null {
  if (!OWN.has(key) || keysOf(level).has(key)) return null;
  return SCHEMA.find((known) => known.key === key)?.level ?? null;
}

export function keysOf(level: SchemaLevel): ReadonlyMap<string, SchemaKey> {
  return BY_LEVEL.get(level)!;
}

/** The known key that was probably meant, of this level if there is one; '' when none is near. */
export function nearestKey(key: string, level: SchemaLevel): string {
  return nearest(key, [...keysOf(level).keys()]) || nearest(key, [...KNOWN]);
}

/** The word nearest to `text` by edit distance; '' when none is near enough to be meant. */
export function nearest(text: string, words: readonly string[]): string {
  const given = text.trim().toLowerCase().replaceAll(/[-\s]/g, '_');
  if (given.length > 40) return '';
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const steps = editDistance(given, word);
    const allowed = Math.max(1, Math.floor(Math.max(word.length, given.length) / 3));
    if (steps <= allowed && steps < least) [best, least] = [word, steps];
  }
  return best;
}

/** Inserted, dropped, changed or swapped letters between two short words (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}

const TYPE_TEXT: Readonly<Record<SchemaType, string>> = {
  text: 'text',
  bool: 'true or false',
  count: 'whole number',
  rules: 'list of rules',
  limit: 'map',
  names: 'list',
  free: 'map',
};

/** The table of the README, one line per key. */
export function schemaMarkdown(): string[] {
  return [
    '| Level | Key | Type | Meaning |',
    '|---|---|---|---|',
    ...SCHEMA.map(
      ({ level, key, type, required, doc }) =>
        `| ${level} | \`${key}\` | ${TYPE_TEXT[type]}${required ? ', required' : ''} | ${doc} |`,
    ),
  ];
}
