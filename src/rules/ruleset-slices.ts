import type { Limit } from '../core/limit.ts';
import type { Domain, Json, JsonObject, Level, Rule, Ruleset } from '../core/ruleset.ts';
import { closed, type OpenLevel, openLevel, place, rulesOf } from './level.ts';

/** Rules of one slice: few enough to be cloned and placed in some milliseconds. */
const SLICE_RULES = 1_000;

/** A part of a ruleset as plain data: between threads a clone loses what is shared, frozen or without prototype. */
export interface Slice {
  /** All domains without their rules; the same in every slice. */
  readonly domains: readonly DomainHead[];
  /** Those that no slice before had. */
  readonly limits: readonly Limit[];
  readonly rows: readonly Row[];
}

type DomainHead = Omit<Domain, 'root'>;

interface Row {
  /** The place in the list of rules of the one above, or for a rule at the root -1 minus the place of its domain. */
  readonly parent: number;
  /** The places of its limits among all of the slices. */
  readonly limits: readonly number[];
  /** Without limits and children. */
  readonly rule: Rule;
}

/** A whole ruleset, in file order; at least one slice. */
export function* slicesOf({ domains, rules }: Ruleset): Generator<Slice> {
  const parents = parentsOf([...domains.values()], rules);
  const places = new Map<Limit, number>();
  for (let from = 0; from === 0 || from < rules.length; from += SLICE_RULES) {
    const limits: Limit[] = [];
    const rows = rules.slice(from, from + SLICE_RULES).map((rule): Row => {
      for (const each of rule.limits) {
        if (places.has(each)) continue;
        places.set(each, places.size);
        limits.push(each);
      }
      const own = rule.limits.map((each) => places.get(each)!);
      return { parent: parents.get(rule)!, limits: own, rule: { ...rule, limits: [], children: null } };
    });
    yield { domains: [...domains.values()].map(({ root: _, ...head }) => head), limits, rows };
  }
}

function parentsOf(domains: readonly Domain[], rules: readonly Rule[]): ReadonlyMap<Rule, number> {
  const parents = new Map<Rule, number>();
  const claim = (level: Level, parent: number): void => {
    for (const rule of rulesOf(level)) parents.set(rule, parent);
  };
  for (const [i, { root }] of domains.entries()) claim(root, -1 - i);
  for (const [i, { children }] of rules.entries()) if (children !== null) claim(children, i);
  return parents;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Puts slices together, in their order. */
export interface Assembly {
  add(slice: Slice): void;
  ruleset(generation: number): Ruleset;
}

export function assembly(): Assembly {
  const domains: (DomainHead & { readonly root: OpenLevel })[] = [];
  const below = new Map<number, OpenLevel>();
  const limits: Limit[] = [];
  const rules: Mutable<Rule>[] = [];
  const texts = new Map<string, string>();

  /** Names that nearly every rule has are kept once. */
  function once(text: string): string {
    const kept = texts.get(text);
    if (kept === undefined) texts.set(text, text);
    return kept ?? text;
  }

  function levelBelow(parent: number): OpenLevel {
    if (parent < 0) return domains[-1 - parent]!.root;
    let level = below.get(parent);
    if (level === undefined) {
      level = openLevel();
      below.set(parent, level);
      rules[parent]!.children = closed(level);
    }
    return level;
  }

  return {
    add(slice) {
      for (const head of slice.domains.slice(domains.length)) domains.push({ ...head, root: openLevel() });
      for (const limit of slice.limits) limits.push(Object.freeze(limit));
      for (const { parent, limits: own, rule } of slice.rows) {
        const whole: Mutable<Rule> = rule;
        whole.key = once(rule.key);
        whole.limits = own.map((place) => limits[place]!);
        whole.metadata = rule.metadata === null ? null : frozenObject(rule.metadata);
        whole.at = { ...rule.at, file: once(rule.at.file) };
        rules.push(whole);
        place(whole, levelBelow(parent));
      }
    },
    ruleset: (generation) => ({
      generation,
      domains: new Map(domains.map((each): [string, Domain] => [each.name, { ...each, root: closed(each.root) }])),
      rules,
    }),
  };
}

/** As the parser makes it: without prototype, frozen to its depth. */
function frozenObject(object: JsonObject): JsonObject {
  const frozen: Record<string, Json> = Object.create(null);
  for (const [key, value] of Object.entries(object)) frozen[key] = frozenValue(value);
  return Object.freeze(frozen);
}

function frozenValue(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? Object.freeze(value.map(frozenValue)) : frozenObject(value as JsonObject);
}
