import { parseArgs } from 'node:util';
import { systemClock } from '../clock.ts';
import type { Hit, Match } from '../core/decision.ts';
import { type PassedOver, type Step, explain as stepsOf } from '../core/explanation.ts';
import { isBucket, type Limit } from '../core/limit.ts';
import { match } from '../core/match.ts';
import { plan } from '../core/plan.ts';
import type { CheckRequest, Descriptor } from '../core/request.ts';
import type { Domain, Rule } from '../core/ruleset.ts';
import { formatProblems } from '../rules/problem.ts';
import { readSettings, SettingsError } from '../settings/read-settings.ts';
import { valueHash } from '../settings/value-hash.ts';
import { ruleLabels } from '../telemetry/labels.ts';
import type { Out } from './check.ts';
import { parseDescriptor, UsageError } from './client.ts';
import { rulesSet } from './rules-set.ts';

export const EXPLAIN_HELP = `weir explain --rules PATH ...     say which rule a descriptor meets, and why

  --rules PATH                      a rules file or a directory of them; may come again
  --domain NAME                     the domain to ask
  --descriptor KEY=VALUE[,KEY=VALUE]
                                    its entries; may come again for more descriptors of the same request
  --merge-domain-config             files of one domain add up
  --json                            the same for machines

KEY_FORMAT, CACHE_KEY_PREFIX, QUOTA_MODE and HASH_VALUE_SECRET are read from the environment, as the service reads them.

Exit code: 0 explained, 1 the rules have problems, 2 it was called wrongly.
`;

/** What is said of one descriptor. */
interface Explained {
  readonly descriptor: string;
  readonly steps: readonly Step[];
  readonly match: Match;
  readonly hits: readonly Hit[];
}

export async function explain(
  args: readonly string[],
  out: Out = process.stdout,
  err: Out = process.stderr,
): Promise<number> {
  try {
    const asked = questionOf(args);
    const compiled = await rulesSet(asked.rules, asked.mergeDomains);
    if (!compiled.ok) {
      err.write(`${formatProblems(compiled.problems)}\n`);
      return 1;
    }
    const domain = compiled.ruleset.domains.get(asked.domain);
    const { settings } = readSettings([], process.env);
    const explained = explainRequest(domain, asked, {
      keyFormat: settings.keyFormat,
      keyPrefix: settings.keyPrefix,
      quotaMode: settings.quotaMode,
      hashValue: valueHash(settings) ?? (() => '<hash>'),
    });
    out.write(asked.json ? `${JSON.stringify(explained.map(asJson), null, 2)}\n` : asText(domain, asked, explained));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof SettingsError)) throw error;
    err.write(`weir explain: ${error.message}\n`);
    return 2;
  }
}

interface Question {
  readonly rules: readonly string[];
  readonly domain: string;
  readonly descriptors: readonly string[];
  readonly mergeDomains: boolean;
  readonly json: boolean;
}

function questionOf(args: readonly string[]): Question {
  const { values } = parse(args);
  if (values.rules === undefined) throw new UsageError('--rules is missing');
  if (values.domain === undefined) throw new UsageError('--domain is missing');
  if (values.descriptor === undefined) throw new UsageError('--descriptor key=value is missing');
  return {
    rules: values.rules,
    domain: values.domain,
    descriptors: values.descriptor,
    mergeDomains: values['merge-domain-config'],
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rules: { type: 'string', multiple: true },
        domain: { type: 'string' },
        descriptor: { type: 'string', multiple: true },
        'merge-domain-config': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Matched and planned as the service does it; only the steps are looked at anew. */
function explainRequest(
  domain: Domain | undefined,
  asked: Question,
  options: Parameters<typeof match>[2] & Parameters<typeof plan>[3],
): readonly Explained[] {
  const descriptors = asked.descriptors.map(
    (text): Descriptor => ({ entries: parseDescriptor(text).entries, limit: null, hits: null, refund: false }),
  );
  const request: CheckRequest = { domain: asked.domain, descriptors, hits: 0 };
  const matches = match(domain, request, options);
  const hits = plan(request, matches, systemClock().nowUs(), options);
  return descriptors.map(({ entries }, of) => ({
    descriptor: asked.descriptors[of] as string,
    steps: domain === undefined ? [] : stepsOf(domain, entries),
    match: matches[of] as Match,
    hits: hits.filter((hit) => hit.of === of),
  }));
}

const BECAUSE: Readonly<Record<PassedOver, string>> = {
  another_value: 'is for another value',
  pattern_differs: 'its pattern does not match',
  exact_value_first: 'matches, but an exact value comes first',
  earlier_in_file: 'matches, but one that is written earlier does too',
  value_first: 'is for every value, which comes last',
};

function asText(domain: Domain | undefined, asked: Question, all: readonly Explained[]): string {
  const head = domain === undefined ? `domain ${asked.domain}: no rules have it\n` : `domain ${asked.domain}\n`;
  return head + all.map((each) => `\n${explainedText(each)}`).join('');
}

function explainedText({ descriptor, steps, match: found, hits }: Explained): string {
  const lines = [`descriptor ${descriptor}`];
  for (const { entry, picked, passed, unlisted } of steps) {
    lines.push(`  ${entry.key}=${entry.value}`);
    lines.push(
      picked === null ? '    picked  nothing: no rule of this level is for it' : `    picked  ${place(picked)}`,
    );
    for (const { rule, because } of passed) lines.push(`    not     ${place(rule)}: ${BECAUSE[because]}`);
    if (unlisted > 0) lines.push(`    and ${unlisted} more for other keys or values`);
  }
  lines.push(`  => ${outcomeText(found)}`);
  for (const { key, limit, shadow } of hits) {
    lines.push(`     ${limitText(limit)}${shadow ? ', in shadow mode' : ''}`);
    lines.push(`       counter ${key}`);
    lines.push(`       metrics ${metricText(found, limit)}`);
  }
  return `${lines.join('\n')}\n`;
}

function place({ text, at }: Rule): string {
  return `${text} (${at.file}:${at.line})`;
}

function outcomeText(found: Match): string {
  switch (found.kind) {
    case 'none':
      return NOTHING[found.because];
    case 'unlimited':
      return `unlimited, by ${place(found.rule)}`;
    case 'replaced':
      return `not limited: ${place(found.rule)} is replaced by another rule of this request`;
    case 'limited':
      return found.rule === null ? 'limited' : `limited by ${place(found.rule)}`;
  }
}

const NOTHING = {
  unknown_domain: 'not limited: no rules have this domain',
  no_rule: 'not limited: no rule is for all of its entries',
  no_limit: 'not limited: its rule has no limit',
} as const;

/** `100 per 5 minutes, sliding_window`. */
export function limitText(limit: Limit): string {
  const { requestsPerUnit, unit, multiplier, algorithm, capacity, timeZone } = limit;
  const window = multiplier === 1 ? unit : `${multiplier} ${unit}s`;
  const calendar = timeZone === null ? '' : ` of the calendar in ${timeZone}`;
  const burst = isBucket(algorithm) ? ` with burst ${capacity}` : '';
  return `${limit.name === '' ? '' : `${limit.name}: `}${requestsPerUnit} per ${window}${calendar}, ${algorithm}${burst}`;
}

function metricText(found: Match, { series }: Limit): string {
  if (found.kind !== 'limited') return '';
  const labels = Object.entries(ruleLabels(found.metric + series)).map(([name, value]) => `${name}="${value}"`);
  return `${found.metric}${series}, {${labels.join(', ')}}`;
}

function asJson({ descriptor, steps, match: found, hits }: Explained): object {
  return {
    descriptor,
    steps: steps.map(({ entry, picked, passed, unlisted }) => ({
      entry,
      picked: picked === null ? null : { rule: picked.text, at: picked.at },
      passed: passed.map(({ rule, because }) => ({ rule: rule.text, at: rule.at, because })),
      unlisted,
    })),
    outcome: found.kind === 'none' ? found.because : found.kind,
    limits: hits.map(({ key, limit, shadow }) => ({
      ...(limit.name === '' ? {} : { name: limit.name }),
      requestsPerUnit: limit.requestsPerUnit,
      unit: limit.unit,
      multiplier: limit.multiplier,
      algorithm: limit.algorithm,
      capacity: limit.capacity,
      timeZone: limit.timeZone,
      shadow,
      counter: key,
      metric: found.kind === 'limited' ? found.metric + limit.series : '',
    })),
  };
}
