import type { Decision } from '../../src/core/decision.ts';
import { limiter } from '../../src/limiter.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { rulesetOf } from '../rules/rules.ts';

/** 2026-11-21 08:00:00 UTC: the start of a minute. */
const START_US = 1_795_248_000_000_000;

/** Asks the limiter of the service, so many milliseconds after the start, about (key, caller) in the domain `trace`. */
export function replay(rules: string): (key: string, ms: number, hits?: number) => Promise<Decision> {
  const set = rulesetOf(rules);
  let nowUs = START_US;
  const { decide } = limiter(
    {
      ruleset: () => set,
      store: memoryStore({ maxKeys: 1_000 }),
      clock: { nowUs: () => nowUs },
      observer: { decided() {}, storeFailed() {}, requestRefused() {}, rulesLoaded() {} },
    },
    {
      keyPrefix: '',
      keyFormat: 'go',
      hashValue: (value) => value,
      quotaMode: false,
      shadowMode: false,
      charge: 'always',
    },
  );
  return (key, ms, hits = 1) => {
    nowUs = START_US + ms * 1_000;
    const entries = [{ key, value: 'caller' }];
    return decide({ domain: 'trace', descriptors: [{ entries, limit: null, hits, refund: false }], hits: 0 });
  };
}
