import { matchesGlob, pick } from './match.ts';
import type { Entry } from './request.ts';
import type { Domain, Level, Rule, Wildcard } from './ruleset.ts';

/** Why a rule was not picked for an entry. */
export type PassedOver = 'another_value' | 'pattern_differs' | 'exact_value_first' | 'earlier_in_file' | 'value_first';

/** What happened to one entry of a descriptor. */
export interface Step {
  readonly entry: Entry;
  /** null: the walk ends here, and nothing is limited. */
  readonly picked: Rule | null;
  /** Rules of this level that could have been meant, in file order as far as wildcards go; at most MOST_PASSED. */
  readonly passed: readonly { readonly rule: Rule; readonly because: PassedOver }[];
  /** Rules of this level that are not listed: for other keys, or too many. */
  readonly unlisted: number;
}

const MOST_PASSED = 20;

/** The walk of a match, level by level, with what was passed over. One step per entry, up to the first without a rule. */
export function explain(domain: Domain, entries: readonly Entry[]): readonly Step[] {
  const steps: Step[] = [];
  let level: Level | null = domain.root;
  for (const entry of entries) {
    const picked: Rule | null = level === null ? null : pick(level, entry);
    steps.push({ entry, picked, ...(level === null ? { passed: [], unlisted: 0 } : passedOver(level, entry, picked)) });
    if (picked === null) break;
    level = picked.children;
  }
  return steps;
}

function passedOver(level: Level, entry: Entry, picked: Rule | null): Pick<Step, 'passed' | 'unlisted'> {
  const passed: { rule: Rule; because: PassedOver }[] = [];
  const siblings = level.byKey.get(entry.key);
  const isExact = picked !== null && siblings?.exact.get(entry.value) === picked;
  const pass = (rule: Rule, because: PassedOver): void => {
    if (rule !== picked) passed.push({ rule, because });
  };
  const passWildcard = ({ rule, literals }: Wildcard, text: string): void => {
    if (!matchesGlob(literals, text)) pass(rule, 'pattern_differs');
    else pass(rule, isExact ? 'exact_value_first' : 'earlier_in_file');
  };
  for (const wildcard of siblings?.wildcards ?? []) passWildcard(wildcard, entry.value);
  for (const wildcard of level.starKeys) passWildcard(wildcard, `${entry.key}_${entry.value}`);
  if (siblings?.any) pass(siblings.any, 'value_first');
  for (const rule of siblings?.exact.values() ?? []) {
    if (passed.length >= MOST_PASSED) break;
    if (!rule.value.includes('*')) pass(rule, 'another_value');
  }
  const listed = passed.slice(0, MOST_PASSED);
  return { passed: listed, unlisted: rulesIn(level) - listed.length - (picked === null ? 0 : 1) };
}

function rulesIn({ byKey }: Level): number {
  let count = 0;
  for (const { exact, any } of byKey.values()) count += exact.size + (any === null ? 0 : 1);
  return count;
}
