import type { Problem } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { compile } from '../rules/compile.ts';
import { formatProblem } from '../rules/problem.ts';
import { readRulesFiles } from '../rules/rules-files.ts';
import { rulesPlace } from '../rules-place.ts';
import type { ReadSettings } from '../settings/read-settings.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Settings that say where rules files are. */
const PLACES = ['rules', 'runtimeRoot', 'runtimeSubdirectory', 'runtimeAppdirectory'] as const;

export interface RulesFound {
  readonly findings: readonly Finding[];
  /** Names of the domains; none when the rules would be refused. */
  readonly domains: readonly string[];
}

/** Reads the rules from where the service would. `canHash`: it has a secret for `hash_value`. */
export async function rules(read: ReadSettings, canHash: boolean): Promise<RulesFound> {
  const { files, from } = rulesPlace(read);
  if (files === null) return { findings: [ok('rules.count', `they come over xDS from ${from}`)], domains: [] };
  const found = await readRulesFiles({ ...files, wholePaths: true });
  const nobodySaid = PLACES.every((name) => read.sources[name] === 'default');
  if (!found.ok) return refused(found.problems, from, nobodySaid);
  const { mergeDomains } = read.settings;
  const compiled = compile(found.documents, { mergeDomains, generation: 1, canHash });
  if (!compiled.ok) return refused(compiled.problems, from, nobodySaid);
  const { ruleset } = compiled;
  const domains = [...ruleset.domains.keys()];
  if (domains.length > 0) return { findings: [ok('rules.count', `${counts(ruleset)}, from ${from}`)], domains };
  const todo = 'put a rules file there, or say with --rules or RULES where they are';
  return { findings: [warn('rules.count', `there are none in ${from}, so nothing is limited`, todo)], domains };
}

function refused(problems: readonly Problem[], from: string, nobodySaid: boolean): RulesFound {
  const mend = 'mend what follows; until then the last good rules stay live, and without any every call fails';
  const todo = nobodySaid ? `say with --rules PATH or RULES where your rules are, or ${mend}` : mend;
  const findings = [
    fail('rules.count', `${count(problems.length, 'problem')} in ${from}`, todo),
    ...problems.map((problem) => fail('rules.problem', formatProblem(problem), '')),
  ];
  return { findings, domains: [] };
}

function counts({ rules: all, domains }: Ruleset): string {
  const limits = all.filter(({ limits: own, unlimited }) => own.length > 0 || unlimited).length;
  return `${count(all.length, 'rule')} in ${count(domains.size, 'domain')}, ${count(limits, 'limit')}`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
