import type { Observer } from '../core/ports.ts';

/** One observer made of many, told in the order given. */
export function observers(list: readonly Observer[]): Observer {
  return {
    decided(decision, tookUs) {
      for (const each of list) each.decided(decision, tookUs);
    },
    storeFailed(request, hits, error) {
      for (const each of list) each.storeFailed(request, hits, error);
    },
    requestRefused(request, error) {
      for (const each of list) each.requestRefused(request, error);
    },
    rulesLoaded(report) {
      for (const each of list) each.rulesLoaded(report);
    },
  };
}
