import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { CaseFile } from '../cases/case-file.ts';
import { readCases } from '../cases/case-reader.ts';
import { junit } from '../cases/junit.ts';
import { type CaseResult, runCases } from '../cases/run-cases.ts';
import type { Problem } from '../core/ports.ts';
import { limiterOptions } from '../limiter-options.ts';
import { formatProblems } from '../rules/problem.ts';
import { readRulesFiles } from '../rules/rules-files.ts';
import { readSettings, SettingsError } from '../settings/read-settings.ts';
import { valueHash } from '../settings/value-hash.ts';
import type { Out } from './check.ts';
import { UsageError } from './client.ts';
import { rulesSet } from './rules-set.ts';

export const TEST_HELP = `weir test RULES CASES...         hold rules against cases: what is asked, what must be answered

  RULES is a rules file or a directory of them, CASES files of cases:

    domain: basic
    cases:
      - name: ten a minute for an address
        steps:
          - { ask: remote_address=10.0.0.1, times: 10, expect: ok }
          - ask: remote_address=10.0.0.1
            expect: { outcome: over_limit, rule: remote_address, remaining: 0, reset: 60s }
          - wait: 60s
          - { ask: remote_address=10.0.0.1, expect: ok }

  --junit FILE                      write the results as JUnit XML too
  --merge-domain-config             files of one domain add up

SHADOW_MODE, QUOTA_MODE, COUNT_DENIED, STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT and KEY_FORMAT are read from the
environment, as the service reads them.

Exit code: 0 all cases pass, 1 some do not, 2 something could not be read.
`;

/** Answers the exit code. */
export async function test(
  args: readonly string[],
  out: Out = process.stdout,
  err: Out = process.stderr,
): Promise<number> {
  try {
    const { positionals, values } = parse(args);
    const [rules, ...paths] = positionals;
    if (rules === undefined || paths.length === 0)
      throw new UsageError('it takes RULES and at least one file of CASES');
    const compiled = await rulesSet([rules], values['merge-domain-config']);
    const files = await casesIn(paths);
    if (!compiled.ok || !files.ok) {
      const problems = [...(compiled.ok ? [] : compiled.problems), ...(files.ok ? [] : files.problems)];
      err.write(`${formatProblems(problems)}\n`);
      return 2;
    }
    const results: CaseResult[] = [];
    const { settings } = readSettings([], process.env);
    // Nobody sees the counters, so any text that tells values apart will do.
    const options = limiterOptions(settings, valueHash(settings) ?? ((value) => value));
    for (const file of files.files) results.push(...(await runCases(compiled.ruleset, file, options)));
    if (values.junit !== undefined) await writeJunit(values.junit, results);
    out.write(report(results));
    return results.every(({ difference }) => difference === null) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof SettingsError)) throw error;
    err.write(`weir test: ${error.message}\n`);
    return 2;
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { junit: { type: 'string' }, 'merge-domain-config': { type: 'boolean', default: false } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

type Files =
  | { readonly ok: true; readonly files: readonly CaseFile[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

async function casesIn(paths: readonly string[]): Promise<Files> {
  const files: CaseFile[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const found = await readRulesFiles({ path, ignoreDotFiles: true, wholePaths: true });
    if (!found.ok) problems.push(...found.problems);
    for (const document of found.ok ? found.documents : []) {
      const read = readCases(document);
      if (read.ok) files.push(read.file);
      else problems.push(...read.problems);
    }
  }
  return problems.length === 0 ? { ok: true, files } : { ok: false, problems };
}

async function writeJunit(path: string, results: readonly CaseResult[]): Promise<void> {
  try {
    await writeFile(path, junit(results));
  } catch (error) {
    throw new UsageError(`${path} can't be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function report(results: readonly CaseResult[]): string {
  const lines: string[] = [];
  for (const { file, name, difference } of results) {
    lines.push(`${difference === null ? 'ok  ' : 'FAIL'} ${name}`);
    if (difference === null) continue;
    lines.push(
      `     ${file}:${difference.line}: ${difference.asked}`,
      ...difference.lines.map((line) => `       ${line}`),
    );
  }
  const failed = results.filter(({ difference }) => difference !== null).length;
  return `${lines.join('\n')}\n${results.length - failed} passed, ${failed} failed\n`;
}
