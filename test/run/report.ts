import { writeFileSync } from 'node:fs';
import type { Outcome } from './run-suite.ts';

/** Prints a budget line per suite, what was skipped and why, and last the count. True when nothing failed. */
export function report(outcomes: readonly Outcome[], options: { readonly requireAll: boolean }): boolean {
  const width = Math.max(...outcomes.map(({ suite }) => suite.length), 5);
  console.log(`\n${'suite'.padEnd(width)}  passed  failed  skipped  seconds`);
  for (const { suite, passed, failed, skipped, seconds, trouble } of outcomes) {
    const numbers = [cell(passed, 6), cell(failed, 6), cell(skipped.length, 7), cell(seconds.toFixed(1), 7)];
    console.log(`${suite.padEnd(width)}  ${numbers.join('  ')}${trouble === '' ? '' : `  ${trouble}`}`);
  }

  const skipped = outcomes.flatMap((it) => it.skipped.map((one) => ({ ...one, suite: it.suite })));
  if (skipped.length > 0) console.log(`\nnot tested${options.requireAll ? ', and REQUIRE_ALL=1 asks for all' : ''}:`);
  for (const { suite, title, because } of skipped) {
    console.log(`  ${suite}: ${title}${because === '' ? '' : ` (${because})`}`);
  }

  const passed = outcomes.reduce((n, it) => n + it.passed, 0);
  const failed = outcomes.reduce((n, it) => n + it.failed, 0) + (options.requireAll ? skipped.length : 0);
  const left = options.requireAll ? 0 : skipped.length;
  const line = `${passed} passed, ${failed} failed${left > 0 ? `, ${left} skipped` : ''}`;
  const { WEIR_COUNT_FILE: file } = process.env;
  if (file) writeFileSync(file, `${line}\n`);
  console.log(`\n${line}`);
  return failed === 0;
}

const cell = (value: number | string, width: number): string => String(value).padStart(width);
