import { differences, show } from './compare.ts';
import type { Expected } from './differences.ts';

/** Counts checks, and prints one line for each that failed. */
export interface Tally {
  checked<T>(id: string, at: string, expected: Expected<T>, recorded: T, got: unknown, different: string[]): void;
  failed(id: string, at: string, details: readonly string[], times?: number): void;
  readonly counts: { readonly passed: number; readonly failed: number; readonly excused: number };
}

export function tally(options: { readonly verbose: boolean }): Tally {
  const counts = { passed: 0, failed: 0, excused: 0 };
  const fail = (line: string, details: readonly string[], times = 1) => {
    counts.failed += times;
    console.log(`FAIL ${line}`);
    if (options.verbose) for (const detail of details) console.log(`    ${detail}`);
  };
  return {
    counts,
    checked(id, at, { want, because }, recorded, got, different) {
      if (different.length === 0) {
        if (because === null) counts.passed++;
        else counts.excused++;
        return;
      }
      const excuse = because === null ? '' : ` (difference ${because})`;
      const stale = because !== null && differences(recorded, got).length === 0 ? ' which is what was recorded' : '';
      fail(`${id} ${at}: expected ${show(want)}${excuse} got ${show(got)}${stale}`, different);
    },
    failed(id, at, details, times = 1) {
      fail(`${id} ${at}: ${details.join(' ').replace(/\s+/g, ' ').slice(0, 3_000)}`, details, times);
    },
  };
}
