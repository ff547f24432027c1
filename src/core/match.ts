import { goCounter, identityOf, type KeyFormat, patternOf } from './counter-text.ts';
import type { Limited, Match } from './decision.ts';
import { askedLimit, type Limit } from './limit.ts';
import type { CheckRequest, Descriptor, Entry, Override } from './request.ts';
import type { Domain, KeyRules, Level, Rule, Wildcard } from './ruleset.ts';
import { unitOfNumber } from './unit.ts';

export interface MatchOptions {
  readonly keyFormat: KeyFormat;
  /** What counters, metrics and logs know of a value whose rule has `hash_value`. */
  readonly hashValue: (value: string) => string;
}

const UNKNOWN_DOMAIN: Match = { kind: 'none', because: 'unknown_domain' };
const NO_RULE: Match = { kind: 'none', because: 'no_rule' };
const NO_LIMIT: Match = { kind: 'none', because: 'no_limit' };

/** One match per descriptor, in request order, with the limits that others replace taken out. */
export function match(domain: Domain | undefined, request: CheckRequest, options: MatchOptions): readonly Match[] {
  const { descriptors } = request;
  const matches: Match[] = new Array(descriptors.length);
  let replaces = false;
  for (let i = 0; i < descriptors.length; i++) {
    const found =
      domain === undefined ? UNKNOWN_DOMAIN : matchDescriptor(domain, descriptors[i] as Descriptor, options);
    if ((found.kind === 'limited' || found.kind === 'unlimited') && found.rule?.replaces.length) replaces = true;
    matches[i] = found;
  }
  return replaces ? replace(matches) : matches;
}

/**
 * Picks a rule at each level: exact value, then the first wildcard in file order, then key only. There is no way back:
 * once a rule is picked, a miss below it is final.
 */
function matchDescriptor(domain: Domain, descriptor: Descriptor, options: MatchOptions): Match {
  if (descriptor.limit !== null) return matchOverride(domain, descriptor.limit, descriptor.entries, options);
  const picked = pickedRules(domain, descriptor.entries);
  const rule = picked[picked.length - 1];
  if (rule === undefined || picked.length < descriptor.entries.length) return NO_RULE;
  if (rule.unlimited) return { kind: 'unlimited', rule };
  const { limits } = rule;
  if (limits.length === 0) return NO_LIMIT;
  const hashes = picked.some(hashesValue);
  const entries = hashes ? hashed(descriptor.entries, picked, options) : descriptor.entries;
  const metric: string = rule.detailedMetric || rule.metricVaries ? metricKey(domain, entries, picked) : rule.path;
  const escapes = hashes || options.keyFormat === 'escaped' || !limits.every(isPlain);
  const counter = escapes ? null : goCounter(entries, picked);
  const identity = escapes ? identityOf(domain.name, entries, picked) : null;
  return { kind: 'limited', limits, rule, counter, identity, metric };
}

const NO_RULES: readonly Rule[] = [];

/** An override limits whatever its entries say; the rules are asked only which values must not be told. */
function matchOverride(domain: Domain, asked: Override, said: readonly Entry[], options: MatchOptions): Match {
  const unit = unitOfNumber(asked.unit);
  if (unit === undefined) throw new Error(`an override with unit ${asked.unit} was let through`);
  const picked = pickedRules(domain, said);
  const hashes = picked.some(hashesValue);
  const entries = hashes ? hashed(said, picked, options) : said;
  const metric = `${domain.name}.${entries.map(plainText).join('.')}`;
  const limits = [askedLimit(asked.requestsPerUnit, unit)];
  const escapes = hashes || options.keyFormat === 'escaped';
  const counter = escapes ? null : goCounter(entries, NO_RULES);
  const identity = escapes ? identityOf(domain.name, entries, NO_RULES) : null;
  return { kind: 'limited', limits, rule: null, counter, identity, metric };
}

/** The rule of each level, as far as there are rules. */
function pickedRules(domain: Domain, entries: readonly Entry[]): readonly Rule[] {
  const picked: Rule[] = new Array(entries.length);
  let level: Level | null = domain.root;
  for (let i = 0; i < entries.length; i++) {
    const rule: Rule | null = level === null ? null : pick(level, entries[i] as Entry);
    if (rule === null) return picked.slice(0, i);
    picked[i] = rule;
    level = rule.children;
  }
  return picked;
}

function hashesValue({ hashValue }: Rule): boolean {
  return hashValue;
}

function isPlain({ plain }: Limit): boolean {
  return plain;
}

function hashed(entries: readonly Entry[], rules: readonly Rule[], { hashValue }: MatchOptions): readonly Entry[] {
  return entries.map((entry, i) =>
    rules[i]?.hashValue === true ? { key: entry.key, value: hashValue(entry.value) } : entry,
  );
}

/** The rule of this level for an entry: exact value, then the first wildcard in file order, then key only. */
export function pick(level: Level, entry: Entry): Rule | null {
  const siblings = level.byKey.get(entry.key);
  const exact = entry.value === '' ? undefined : siblings?.exact.get(entry.value);
  if (exact !== undefined) return exact;
  return firstWildcard(level, siblings, entry)?.rule ?? siblings?.any ?? null;
}

function firstWildcard(level: Level, siblings: KeyRules | undefined, entry: Entry): Wildcard | undefined {
  const byValue = siblings?.wildcards.find((w) => matchesGlob(w.literals, entry.value));
  if (level.starKeys.length === 0) return byValue;
  const joined = `${entry.key}_${entry.value}`;
  const byKey = level.starKeys.find((w) => matchesGlob(w.literals, joined));
  if (byKey === undefined || byValue === undefined) return byKey ?? byValue;
  return byKey.order < byValue.order ? byKey : byValue;
}

/** `literals` are the pieces between stars; they must come in order and may not overlap. */
export function matchesGlob(literals: readonly string[], text: string): boolean {
  const head = literals[0] ?? '';
  const tail = literals[literals.length - 1] ?? '';
  const end = text.length - tail.length;
  if (head.length > end || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let at = head.length;
  for (let i = 1; i < literals.length - 1; i++) {
    const literal = literals[i] ?? '';
    const found = text.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return true;
}

/** Names in `replaces` take out every limit of that name, also when the rule that names them falls itself. */
function replace(matches: readonly Match[]): readonly Match[] {
  const fallen = new Set<string>();
  for (const m of matches) {
    if (m.kind === 'limited' || m.kind === 'unlimited') for (const name of m.rule?.replaces ?? []) fallen.add(name);
  }
  return matches.map((m) => {
    if (m.kind !== 'limited' || m.rule === null) return m;
    const limits = m.limits.filter(({ name }) => !fallen.has(name));
    if (limits.length === 0) return { kind: 'replaced', rule: m.rule };
    return limits.length === m.limits.length ? m : { ...m, limits };
  });
}

function plainText({ key, value }: Entry): string {
  return value === '' ? key : `${key}_${value}`;
}

/** detailed_metric tells every value; else value_to_metric and share_threshold speak level by level. */
function metricKey(domain: Domain, entries: readonly Entry[], rules: readonly Rule[]): Limited['metric'] {
  const detailed = rules[rules.length - 1]?.detailedMetric === true;
  const shares = rules.some((rule) => rule.shareThreshold);
  let text = domain.name;
  for (const [i, entry] of entries.entries()) {
    const rule = rules[i] as Rule;
    text += `.${detailed ? detailedText(rule, entry, shares) : levelText(rule, entry)}`;
  }
  return text;
}

function detailedText(rule: Rule, entry: Entry, shares: boolean): string {
  if (rule.shareThreshold) return `${entry.key}_${patternOf(rule)}`;
  return shares ? plainText(entry) : `${entry.key}_${entry.value}`;
}

/** Without value_to_metric a star in the key stays as written, or every key that a caller makes up were a series. */
function levelText(rule: Rule, entry: Entry): string {
  const fixed = rule.shareThreshold || !rule.valueToMetric || (rule.value !== '' && !rule.value.includes('*'));
  return fixed ? rule.text : plainText(entry);
}
