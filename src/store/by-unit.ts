import type { Store } from '../core/ports.ts';
import { acrossStores } from './across-stores.ts';

export interface ByUnitOptions {
  readonly main: Store;
  /** Counts limits per second, which are many and short-lived. */
  readonly perSecond: Store;
}

/**
 * One store made of two. What both have a part in goes to the main one first, and to the other only when that has
 * counted, as in the Go service; unless hits stop each other, which acrossStores sees to.
 */
export function byUnit({ main, perSecond }: ByUnitOptions): Store {
  const across = acrossStores({ route: ({ limit }) => (limit.unit === 'second' ? perSecond : main) });
  return {
    async take(hits, charge, nowUs, caller) {
      const seconds = hits.filter(({ limit }) => limit.unit === 'second');
      if (charge !== 'always' || seconds.length === 0 || seconds.length === hits.length) {
        return across.take(hits, charge, nowUs, caller);
      }
      const others = hits.filter(({ limit }) => limit.unit !== 'second');
      const first = (await main.take(others, charge, nowUs, caller)).values();
      const second = (await perSecond.take(seconds, charge, nowUs, caller)).values();
      return hits.map(({ limit }) => (limit.unit === 'second' ? second : first).next().value!);
    },
  };
}
