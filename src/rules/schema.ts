import type { FailurePolicy } from '../core/decision.ts';
import type { Algorithm } from '../core/limit.ts';
import { UNIT_SECONDS } from '../core/unit.ts';

/** Where a key belongs. `rate_limits` is one item of that list. */
export type SchemaLevel = 'file' | 'rule' | 'rate_limit' | 'rate_limits' | 'replaces';
export type SchemaType = 'text' | 'bool' | 'count' | 'rules' | 'limit' | 'limits' | 'names' | 'free';

export interface SchemaKey {
  readonly key: string;
  readonly levels: readonly SchemaLevel[];
  readonly type: SchemaType;
  readonly required: boolean;
  /** Not of the Go service's format. */
  readonly own: boolean;
  /** The words it takes, where it takes no other. */
  readonly words: readonly string[];
  readonly doc: string;
}

const UNITS = Object.keys(UNIT_SECONDS);
export const ALGORITHMS: readonly Algorithm[] = ['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'];
export const FAILURE_POLICIES: readonly FailurePolicy[] = ['error', 'allow', 'deny', 'local'];
const LIMITS = ['rate_limit', 'rate_limits'] as const;

/** Every key of a rules file. The parser reads by it, and the table of docs/rules.md and the JSON Schema are made from it. */
export const SCHEMA: readonly SchemaKey[] = [
  row(
    'file',
    'domain',
    'text',
    'Which callers the rules are for: the `domain` of a request. One file holds one domain.',
    { required: true },
  ),
  row('file', 'descriptors', 'rules', 'The rules.'),
  row(
    'file',
    'count_denied',
    'bool',
    'false: a refused request of this domain consumes nothing. Beats `COUNT_DENIED`, either way.',
    { own: true },
  ),
  row('rule', 'key', 'text', 'The key of a descriptor entry. A `*` stands for any text.', { required: true }),
  row('rule', 'value', 'text', 'Its value. A `*` stands for any text; without `value` the rule is for every value.'),
  row('rule', 'rate_limit', 'limit', 'The limit. A rule without one, and without rules below, lets its value pass.'),
  row('rule', 'rate_limits', 'limits', 'Several limits in its place: all must admit.', { own: true }),
  row('rule', 'descriptors', 'rules', 'Rules for the next entry of the descriptor.'),
  row(['rule', 'rate_limits'], 'shadow_mode', 'bool', 'Count and measure, never refuse.'),
  row('rule', 'quota_mode', 'bool', 'Refuse only when every quota rule of the request is over its limit.'),
  row('rule', 'share_threshold', 'bool', 'All values that match the wildcard share one counter.'),
  row('rule', 'detailed_metric', 'bool', 'The metric carries the value of every entry.'),
  row('rule', 'value_to_metric', 'bool', 'The metric carries the value of this entry.'),
  row(
    'rule',
    'hash_value',
    'bool',
    'Counter keys, metrics and logs hold a keyed hash of the value, never the value. Needs `HASH_VALUE_SECRET`.',
    { own: true },
  ),
  row(
    'rule',
    'on_store_failure',
    'text',
    'What its limits answer while the store cannot count: `error`, `allow`, `deny` or `local`. Without it STORE_FAILURE.',
    { own: true, words: FAILURE_POLICIES },
  ),
  row('rule', 'metadata', 'free', 'Free values that are given back as dynamic metadata.'),
  row(
    LIMITS,
    'requests_per_unit',
    'count',
    'How many hits a unit admits: 0 to 4294967295. Without it 0, which refuses all.',
  ),
  row(
    LIMITS,
    'unit',
    'text',
    '`second`, `minute`, `hour`, `day`, `week`, `month` (30 days) or `year` (365 days). Needed unless `unlimited`.',
    { words: UNITS },
  ),
  row(LIMITS, 'unit_multiplier', 'count', 'A window of so many units, up to 100 years. Without it 1.', { own: true }),
  row(LIMITS, 'algorithm', 'text', '`fixed_window` (without it), `sliding_window`, `token_bucket` or `leaky_bucket`.', {
    own: true,
    words: ALGORITHMS,
  }),
  row(
    LIMITS,
    'burst',
    'count',
    'What a bucket holds. Without it `requests_per_unit` for `token_bucket`, 1 for `leaky_bucket`.',
    { own: true },
  ),
  row(LIMITS, 'calendar', 'bool', 'Windows begin with the day, week (Monday), month or year of the calendar.', {
    own: true,
  }),
  row(LIMITS, 'time_zone', 'text', 'Where the calendar is read, such as `Europe/Berlin`. Without it `UTC`.', {
    own: true,
  }),
  row('rate_limit', 'unlimited', 'bool', 'No limit and no counter; takes no `unit`.'),
  row(LIMITS, 'name', 'text', 'A name for `replaces` and for the answer.'),
  row(
    'rate_limit',
    'replaces',
    'names',
    'Limits that do not count when this one matches in the same request: a list of `name: text`.',
  ),
  row('replaces', 'name', 'text', 'The name of a limit.', { required: true }),
];

function row(
  levels: SchemaLevel | readonly SchemaLevel[],
  key: string,
  type: SchemaType,
  doc: string,
  { required = false, own = false, words = [] }: Partial<Pick<SchemaKey, 'required' | 'own' | 'words'>> = {},
): SchemaKey {
  return { key, levels: typeof levels === 'string' ? [levels] : levels, type, required, own, words, doc };
}

const KNOWN: ReadonlySet<string> = new Set(SCHEMA.map(({ key }) => key));
const OWN: ReadonlySet<string> = new Set(SCHEMA.filter(({ own }) => own).map(({ key }) => key));
const BY_LEVEL: ReadonlyMap<SchemaLevel, ReadonlyMap<string, SchemaKey>> = new Map(
  (['file', 'rule', 'rate_limit', 'rate_limits', 'replaces'] as const).map((level) => [
    level,
    new Map(SCHEMA.filter(({ levels }) => levels.includes(level)).map((known) => [known.key, known])),
  ]),
);

/** Go lets every known key stand at every level; at the wrong one it means nothing. */
export function isKnownKey(key: string): boolean {
  return KNOWN.has(key);
}

/**
 * The level where a key belongs when this is another one: there it would mean nothing, and nobody would know. Of the Go
 * service's keys only in `rate_limits`, which is our own; those of a single limit have a problem of their own there.
 */
export function rightLevelOf(key: string, level: SchemaLevel): SchemaLevel | null {
  if (keysOf(level).has(key)) return null;
  if (!OWN.has(key) && (level !== 'rate_limits' || keysOf('rate_limit').has(key))) return null;
  return SCHEMA.find((known) => known.key === key)?.levels[0] ?? null;
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

/** What to write in place of a word that is none of `words`. */
export function wordHint(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near === '' ? `it is one of ${words.join(', ')}` : `did you mean '${near}'?`;
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
  limits: 'list of limits',
  names: 'list',
  free: 'map',
};

/** The table of docs/rules.md, one line per key. */
export function schemaMarkdown(): string[] {
  return [
    '| Level | Key | Type | Meaning |',
    '|---|---|---|---|',
    ...SCHEMA.map(
      ({ levels, key, type, required, doc }) =>
        `| ${levels.join(', ')} | \`${key}\` | ${TYPE_TEXT[type]}${required ? ', required' : ''} | ${doc} |`,
    ),
  ];
}
