import type { KeyRules, Level, Rule, Wildcard } from '../core/ruleset.ts';

interface OpenKey extends KeyRules {
  readonly exact: Map<string, Rule>;
  readonly wildcards: Wildcard[];
  any: Rule | null;
}

/** A level while rules are added to it. */
export interface OpenLevel extends Level {
  readonly byKey: Map<string, OpenKey>;
  readonly starKeys: Wildcard[];
  stars: number;
}

export function openLevel(): OpenLevel {
  return { byKey: new Map(), starKeys: [], stars: 0 };
}

/** The same maps, so that what is placed later is in it too; without what only the making of a level needs. */
export function closed({ byKey, starKeys }: OpenLevel): Level {
  return { byKey, starKeys };
}

/** A wildcard stands among the exact rules too: a value that reads like the pattern itself is an exact match. */
export function place(rule: Rule, level: OpenLevel): void {
  let rules = level.byKey.get(rule.key);
  if (rules === undefined) {
    rules = { exact: new Map(), wildcards: [], any: null };
    level.byKey.set(rule.key, rules);
  }
  if (rule.value === '') rules.any = rule;
  else rules.exact.set(rule.value, rule);
  if (rule.key.includes('*')) {
    level.starKeys.push({ rule, order: level.stars++, literals: rule.text.split('*') });
  } else if (rule.value.includes('*')) {
    rules.wildcards.push({ rule, order: level.stars++, literals: rule.value.split('*') });
  }
}

/** Every rule of a level, in no order. */
export function* rulesOf({ byKey }: Level): Generator<Rule> {
  for (const { exact, any } of byKey.values()) {
    yield* exact.values();
    if (any !== null) yield any;
  }
}
