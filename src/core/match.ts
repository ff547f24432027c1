import type { Limited, Match } from './decision.ts';
import type { CheckRequest, Descriptor, Entry, Override } from './request.ts';
import type { Domain, KeyRules, Level, Rule, Wildcard } from './ruleset.ts';
import { unitOfNumber } from './unit.ts';

const UNKNOWN_DOMAIN: Match = { kind: 'none', because: 'unknown_domain' };
const NO_RULE: Match = { kind: 'none', because: 'no_rule' };
const NO_LIMIT: Match = { kind: 'none', because: 'no_limit' };

/** One match per descriptor, in request order, with the rules that others replace taken out. */
export function match(domain: Domain | undefined, request: CheckRequest): readonly Match[] {
  const matches: Match[] = [];
  let replaces = false;
  for (const descriptor of request.descriptors) {
    const found = domain === undefined ? UNKNOWN_DOMAIN : matchDescriptor(domain, descriptor);
    if ((found.kind === 'limited' || found.kind === 'unlimited') && found.rule?.replaces.length) replaces = true;
    matches.push(found);
  }
  return replaces ? replace(matches) : matches;
}

/** The rule picked at each level, as far as the walk goes: exact value, then the first wildcard in file order, then key
 * only. There is no way back: once a rule is picked, a miss below it is final. */
export function* picks(domain: Domain, entries: readonly Entry[]): Generator<Rule | null> {
  let level: Level | null = domain.root;
  for (const entry of entries) {
    const rule: Rule | null = level === null ? null : pick(level, entry);
    yield rule;
    if (rule === null) return;
    level = rule.children;
  }
}

function matchDescriptor(domain: Domain, descriptor: Descriptor): Match {
  if (descriptor.limit !== null) return matchOverride(domain, descriptor.limit, descriptor.entries);
  let level: Level | null = domain.root;
  let rule: Rule | null = null;
  let counter = '';
  for (const entry of descriptor.entries) {
    rule = level === null ? null : pick(level, entry);
    if (rule === null) return NO_RULE;
    level = rule.children;
    counter += `${entry.key}_${rule.shareThreshold ? patternOf(rule) : entry.value}_`;
  }
  if (rule === null) return NO_RULE;
  if (rule.unlimited) return { kind: 'unlimited', rule };
  if (rule.limit === null) return NO_LIMIT;
  const metric: string =
    rule.detailedMetric || rule.metricVaries ? metricKey(domain, descriptor.entries, rule) : rule.path;
  return { kind: 'limited', limit: rule.limit, rule, counter, metric };
}

/** The rules are not asked: an override limits whatever its entries say. */
function matchOverride(domain: Domain, override: Override, entries: readonly Entry[]): Match {
  const unit = unitOfNumber(override.unit);
  if (unit === undefined) throw new Error(`an override with unit ${override.unit} was let through`);
  let counter = '';
  for (const { key, value } of entries) counter += `${key}_${value}_`;
  const metric = `${domain.name}.${entries.map(plainText).join('.')}`;
  return { kind: 'limited', limit: { requestsPerUnit: override.requestsPerUnit, unit }, rule: null, counter, metric };
}

function pick(level: Level, entry: Entry): Rule | null {
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

/** Names in `replaces` take out every limited match of that name, also when the one that names them falls itself. */
function replace(matches: readonly Match[]): readonly Match[] {
  const fallen = new Set<string>();
  for (const m of matches) {
    if (m.kind === 'limited' || m.kind === 'unlimited') for (const name of m.rule?.replaces ?? []) fallen.add(name);
  }
  return matches.map((m) =>
    m.kind === 'limited' && m.rule !== null && fallen.has(m.rule.name) ? { kind: 'replaced', rule: m.rule } : m,
  );
}

/** What share_threshold puts in place of the value; the whole text where the star is in the key. */
function patternOf(rule: Rule): string {
  return rule.key.includes('*') ? rule.text : rule.value;
}

function plainText({ key, value }: Entry): string {
  return value === '' ? key : `${key}_${value}`;
}

/** detailed_metric tells every value; else value_to_metric and share_threshold speak level by level. */
function metricKey(domain: Domain, entries: readonly Entry[], leaf: Rule): Limited['metric'] {
  const rules = [...picks(domain, entries)];
  const shares = rules.some((rule) => rule?.shareThreshold);
  let text = domain.name;
  for (const [i, entry] of entries.entries()) {
    const rule = rules[i];
    if (!rule) break;
    text += `.${leaf.detailedMetric ? detailedText(rule, entry, shares) : levelText(rule, entry)}`;
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
