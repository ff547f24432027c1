import type { Decision, Match, Verdict } from '../core/decision.ts';
import type { Clock, Observer } from '../core/ports.ts';
import { wholeSeconds } from '../core/projection.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type LimiterOptions, limiter } from '../limiter.ts';
import { memoryStore } from '../store/memory.ts';
import { type Case, type CaseFile, type CaseStep, type Expected, NO_RULE_WORDS } from './case-file.ts';

/** What one case came to. */
export interface CaseResult {
  readonly file: string;
  readonly name: string;
  readonly line: number;
  /** null: passed. A case ends at its first difference. */
  readonly difference: Difference | null;
}

export interface Difference {
  readonly line: number;
  /** `user=ann, the 11th of 12`. */
  readonly asked: string;
  /** One line for each thing that is not as expected. */
  readonly lines: readonly string[];
}

const MAX_KEYS = 100_000;
const SILENT: Observer = { decided() {}, storeFailed() {}, requestRefused() {}, rulesLoaded() {} };

/** Decides with the limiter of the service, in memory, on a clock that only `wait` moves. */
export async function runCases(
  ruleset: Ruleset,
  { file, cases }: CaseFile,
  options: LimiterOptions,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const each of cases) {
    results.push({ file, name: each.name, line: each.line, difference: await differenceIn(ruleset, each, options) });
  }
  return results;
}

async function differenceIn(ruleset: Ruleset, { startUs, steps }: Case, options: LimiterOptions) {
  let nowUs = startUs;
  const clock: Clock = { nowUs: () => nowUs };
  const store = memoryStore({ maxKeys: MAX_KEYS });
  const { decide } = limiter({ ruleset: () => ruleset, store, clock, observer: SILENT }, options);
  for (const step of steps) {
    if (step.kind === 'wait') {
      nowUs += step.us;
      continue;
    }
    for (let time = 1; time <= step.times; time++) {
      const lines = await decide(step.request).then(
        (decision) => differences(step, decision),
        (error: Error) => [`it was refused: ${error.message}`],
      );
      if (lines.length > 0) return { line: step.line, asked: asked(step, time), lines };
    }
  }
  return null;
}

type Ask = Extract<CaseStep, { kind: 'ask' }>;

function asked({ request, times }: Ask, time: number): string {
  const descriptors = request.descriptors.map(({ entries }) =>
    entries.map(({ key, value }) => `${key}=${value}`).join(','),
  );
  return `${descriptors.join(' and ')}${times === 1 ? '' : `, call ${time} of ${times}`}`;
}

function differences({ expected, each }: Ask, decision: Decision): readonly string[] {
  const { domain } = decision.request;
  const [first] = decision.verdicts;
  return [
    ...compare('', { outcome: expected.outcome }, { outcome: decision.outcome }),
    ...(first === undefined ? [] : compare('', { ...expected, outcome: undefined }, seen(expected, domain, first))),
    ...each.flatMap((one, i) => {
      const verdict = decision.verdicts[i];
      return verdict === undefined ? [] : compare(`descriptor ${i + 1}: `, one, seen(one, domain, verdict));
    }),
  ];
}

type Seen = { readonly [K in keyof Expected]: Expected[K] | undefined };

function compare(of: string, expected: Seen, got: Seen): readonly string[] {
  return (Object.keys(expected) as (keyof Expected)[])
    .filter((word) => expected[word] !== undefined && expected[word] !== got[word])
    .map((word) => `${of}${word}: expected ${shown(word, expected[word])}, got ${shown(word, got[word])}`);
}

function shown(word: string, value: string | number | undefined): string {
  if (value === undefined || value === '') return 'nothing';
  return word === 'reset' ? `${value}s` : String(value);
}

function seen({ rule }: Expected, domain: string, { outcome, match, binding, remaining, resetAfterUs }: Verdict): Seen {
  return {
    outcome,
    rule: ruleText(match, domain, rule ?? ''),
    limit: binding?.hit.limit.name ?? '',
    remaining,
    reset: binding === null ? 0 : wholeSeconds(resetAfterUs),
  };
}

/** As it was written in the expectation, with the domain or without. */
function ruleText(match: Match, domain: string, expected: string): string {
  if (match.kind === 'none') return 'none';
  if (match.kind === 'limited' && match.rule === null) return 'override';
  const path = match.rule?.path ?? '';
  if (match.kind !== 'limited' && NO_RULE_WORDS.includes(expected)) return match.kind;
  return expected === path ? path : path.slice(domain.length + 1);
}
