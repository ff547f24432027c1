import { type Buckets, total } from './buckets.ts';
import type { DomainNumbers, Slot } from './domain-numbers.ts';
import type { Numbers } from './scrape.ts';
import type { LocalCacheNumbers } from './sources.ts';

/** One number under the name that the Go service gives it in statsd. Counters are told from the start of the process. */
export type Stat =
  | { readonly kind: 'counter' | 'gauge'; readonly name: string; readonly value: number }
  /** In microseconds. */
  | { readonly kind: 'timer'; readonly name: string; readonly times: Buckets };

const RULE_STATS = {
  totalHits: 'total_hits',
  overLimit: 'over_limit',
  nearLimit: 'near_limit',
  withinLimit: 'within_limit',
  shadowMode: 'shadow_mode',
  overLimitWithLocalCache: 'over_limit_with_local_cache',
} as const satisfies Partial<Record<keyof Slot, string>>;

const CACHE_STATS = {
  entries: 'entryCount',
  lookups: 'lookupCount',
  hits: 'hitCount',
  misses: 'missCount',
  expired: 'expiredCount',
  evacuated: 'evacuateCount',
  overwritten: 'overwriteCount',
} as const satisfies Record<keyof LocalCacheNumbers, string>;

/**
 * Everything that the Go service tells too. Counters that never moved are left out. Two stats may have one name, when
 * what is written makes keys equal: whoever reads them adds them up.
 */
export function* stats(numbers: Numbers, domains: readonly DomainNumbers[]): Generator<Stat> {
  for (const { slots, rest } of domains) {
    for (const slot of slots.values()) yield* slotStats(slot);
    yield* slotStats(rest);
  }
  const service = 'ratelimit.service';
  yield* moved(`${service}.rate_limit._unknown.domain_not_found`, numbers.domainNotFound);
  yield* moved(`${service}.call.should_rate_limit.redis_error`, numbers.redisErrors);
  yield* moved(`${service}.call.should_rate_limit.service_error`, numbers.serviceErrors);
  yield* moved(`${service}.config_load_success`, numbers.loads);
  yield* moved(`${service}.config_load_error`, numbers.refusedLoads);
  yield* moved(`${service}.global_shadow_mode`, numbers.globalShadowMode);
  for (const [method, times] of numbers.methods) {
    yield* moved(`ratelimit_server.${method}.total_requests`, total(times.counts));
    yield { kind: 'timer', name: `ratelimit_server.${method}.response_time`, times };
  }
  const cache = numbers.sources.localCache?.();
  if (cache === undefined) return;
  for (const [key, name] of Object.entries(CACHE_STATS)) {
    yield { kind: 'gauge', name: `ratelimit.localcache.${name}`, value: cache[key as keyof LocalCacheNumbers] };
  }
}

function* slotStats(slot: Slot): Generator<Stat> {
  for (const [key, stat] of Object.entries(RULE_STATS)) {
    const value = slot[key as keyof typeof RULE_STATS];
    if (value > 0) yield { kind: 'counter', name: `ratelimit.service.rate_limit.${slot.statName}.${stat}`, value };
  }
}

function* moved(name: string, value: number): Generator<Stat> {
  if (value > 0) yield { kind: 'counter', name, value };
}
