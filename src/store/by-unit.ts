import type { Store } from '../core/ports.ts';
import { acrossStores } from './across-stores.ts';

export interface ByUnitOptions {
  readonly main: Store;
  /** Counts limits per second, which are many and short-lived. */
  readonly perSecond: Store;
}

/** One store made of two. When one of them fails, what the other charged of the request is given back. */
export function byUnit({ main, perSecond }: ByUnitOptions): Store {
  return acrossStores({ route: ({ limit }) => (limit.unit === 'second' ? perSecond : main) });
}
