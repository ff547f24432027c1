import type { Decision } from '../../src/core/decision.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { type LimiterOptions, limiter } from '../../src/limiter.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { MATCHING } from '../core/asking.ts';

/** The start of a day, an hour and a minute. */
export const NOON_US = 1_795_219_200_000_000;

const OPTIONS: LimiterOptions = { ...MATCHING, keyPrefix: '', charge: 'always', shadowMode: false, quotaMode: false };
// Laws make a store for every run, and a table for a million keys is not made in no time.
const KEYS = 1_000;

const UNSEEN = { decided() {}, storeFailed() {}, requestRefused() {}, rulesLoaded() {} };

export interface World {
  at(nowUs: number, request: CheckRequest): Promise<Decision>;
}

/** A limiter with a memory store of its own, and the time as an argument. */
export function world(ruleset: Ruleset, options: Partial<LimiterOptions> = {}): World {
  let nowUs = 0;
  const parts = {
    ruleset: () => ruleset,
    store: memoryStore({ maxKeys: KEYS }),
    clock: { nowUs: () => nowUs },
    observer: UNSEEN,
  };
  const { decide } = limiter(parts, { ...OPTIONS, ...options });
  return {
    at(time, request) {
      nowUs = time;
      return decide(request);
    },
  };
}

/** The counter behind each descriptor's limit; null where nothing is counted. */
export function usedOf({ verdicts }: Decision): readonly (number | null)[] {
  return verdicts.map(({ binding }) => (binding?.reading.kind === 'counted' ? binding.reading.used : null));
}
