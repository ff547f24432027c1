import type { Part, Store, StoreError } from './core/ports.ts';
import { loopLag } from './loop-lag.ts';
import type { Settings } from './settings/settings.ts';
import { type Batching, type BreakerStore, breaker } from './store/breaker.ts';
import { type Fallback, failurePolicy } from './store/failure-policy.ts';
import { overload } from './store/overload.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { BreakerNumbers } from './telemetry/sources.ts';

/** What stands between decisions and a store that may fail. */
export interface Guard {
  /** Around each server that counts. */
  readonly server: (store: Store & Batching) => Store;
  /** Around everything else, what answers without the server included. */
  readonly outermost: (store: Store) => Store;
  readonly parts: readonly Part[];
}

const ANSWERED: Readonly<Record<Fallback['policy'], string>> = {
  allow: 'hits were allowed and not counted',
  deny: 'hits were denied and not counted',
  local: 'hits were counted in this process alone',
};

export function guard(settings: Settings, metrics: Metrics, log: Log): Guard {
  const breakers = new Set<WeakRef<BreakerStore>>();
  const lag = loopLag();
  metrics.read({ breakers: () => numbersOf(breakers) });

  function onChange(state: BreakerStore['state'], cause: StoreError | null): void {
    if (state === 'open') {
      log.trouble('breaker', 'the store failed too often and is left alone for a moment', {
        cause: cause?.message ?? '',
      });
    } else if (state === 'closed') {
      log.logger.info('the store counts again');
    }
  }

  function onFallback({ policy, because, hits, cause }: Fallback): void {
    metrics.storeFellBack(policy, because, hits);
    log.trouble(`fallback ${policy} ${because}`, ANSWERED[policy], { policy, because, cause: cause.message });
  }

  return {
    parts: settings.maxLoopLagMs > 0 ? [lag] : [],
    server(store) {
      const made = breaker(store, { clock: MONOTONIC, random: Math.random, onChange });
      breakers.add(new WeakRef(made));
      return made;
    },
    outermost(store) {
      const told = failurePolicy(store, {
        policy: settings.storeFailure,
        localShare: settings.localFallbackShare * settings.workers,
        maxKeys: settings.memoryMaxKeys,
        onFallback,
      });
      return settings.maxLoopLagMs > 0 ? overload(told, { lagMs: lag.lagMs, maxLagMs: settings.maxLoopLagMs }) : told;
    },
  };
}

/** How long a breaker is open has nothing to do with the time of day. */
const MONOTONIC = { nowUs: () => Math.floor(performance.now() * 1_000) };

/** Servers that left a cluster take their breakers along. */
function numbersOf(breakers: Set<WeakRef<BreakerStore>>): BreakerNumbers {
  const states = { closed: 0, open: 0, half_open: 0 };
  let openings = 0;
  let refusals = 0;
  for (const held of breakers) {
    const each = held.deref();
    if (each === undefined) {
      breakers.delete(held);
      continue;
    }
    states[each.state]++;
    openings += each.stats.openings;
    refusals += each.stats.refusals;
  }
  return { states, openings, refusals };
}
