import type { Problem } from '../../src/core/ports.ts';
import type { Rule, Ruleset } from '../../src/core/ruleset.ts';
import { compile } from '../../src/rules/compile.ts';
import { formatProblems } from '../../src/rules/problem.ts';

type Texts = string | Readonly<Record<string, string>>;

function compiled(texts: Texts, mergeDomains: boolean) {
  const files = typeof texts === 'string' ? { 'limits.yaml': texts } : texts;
  const documents = Object.entries(files).map(([name, text]) => ({ name, text }));
  return compile(documents, { mergeDomains, generation: 1 });
}

/** The ruleset of texts that are right. */
export function rulesetOf(texts: Texts, mergeDomains = false): Ruleset {
  const result = compiled(texts, mergeDomains);
  if (!result.ok) throw new Error(formatProblems(result.problems));
  return result.ruleset;
}

export function problemsOf(texts: Texts, mergeDomains = false): readonly Problem[] {
  const result = compiled(texts, mergeDomains);
  return result.ok ? [] : result.problems;
}

/** The only rule of a file with domain `d` and one rule, given in flow style. */
export function ruleOf(rule: string): Rule {
  return rulesetOf(`domain: d\ndescriptors:\n  - ${rule}\n`).rules[0]!;
}
