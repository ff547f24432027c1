import type { Assumption, FailurePolicy, Hit, Reading } from '../core/decision.ts';
import { isDenied, tellsOver } from '../core/denial.ts';
import { type Limit, limit } from '../core/limit.ts';
import { type Charge, type Store, StoreError } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';
import { BreakerOpenError } from './breaker.ts';
import { memoryStore } from './memory.ts';
import { PartlyCountedError } from './partly-counted.ts';

/** Hits of one request that were answered although the store could not count them. */
export interface Fallback {
  readonly policy: Exclude<FailurePolicy, 'error'>;
  readonly because: Exclude<Assumption, 'over_limit_cache'>;
  readonly hits: number;
  readonly cause: StoreError;
}

export interface FailurePolicyOptions {
  /** For hits whose rule says nothing. */
  readonly policy: FailurePolicy;
  /** `local` admits this part of a limit, rounded up: as many processes share the traffic. At least 1. */
  readonly localShare: number;
  /** Counters that `local` may hold. */
  readonly maxKeys?: number;
  readonly onFallback?: (fallback: Fallback) => void;
}

/**
 * Says what a request is told when the inner store can't count: an error, or an answer that says that nobody counted.
 * One such hit whose policy is `error` fails its whole request; those that were counted all the same are told as they
 * are. What is `busy` is our own trouble and fails in any case.
 */
export function failurePolicy(inner: Store, options: FailurePolicyOptions): Store {
  const { policy, localShare, maxKeys, onFallback } = options;
  const local = memoryStore(maxKeys === undefined ? {} : { maxKeys });

  async function fallBack(error: unknown, hits: readonly Hit[], charge: Charge, nowUs: Micros) {
    if (!(error instanceof StoreError) || error.code === 'busy') throw error;
    const counted = error instanceof PartlyCountedError ? error.counted : NONE;
    const lost = hits.filter((hit) => !counted.has(hit));
    const policies = lost.map((hit) => hit.onStoreFailure ?? policy);
    if (policies.includes('error')) throw error;
    const because = error instanceof BreakerOpenError ? 'breaker_open' : 'store_down';
    for (const each of ['allow', 'deny', 'local'] as const) {
      const count = policies.filter((it) => it === each).length;
      if (count > 0) onFallback?.({ policy: each, because, hits: count, cause: error });
    }
    const assumed = await answers(lost, policies, because, charge, nowUs);
    let next = 0;
    return hits.map((hit) => counted.get(hit) ?? (assumed[next++] as Reading));
  }

  async function answers(
    hits: readonly Hit[],
    policies: readonly FailurePolicy[],
    because: Fallback['because'],
    charge: Charge,
    nowUs: Micros,
  ): Promise<readonly Reading[]> {
    const counted = hits.filter((_, i) => policies[i] === 'local').map(shareOf);
    const uncounted = hits.map((hit, i) => uncountedReading(hit, policies[i] as FailurePolicy, because));
    // A hit that is refused uncounted stops its siblings as one that was counted would.
    const denied = isDenied(
      hits,
      uncounted.map((reading, i) => policies[i] !== 'local' && reading.outcome === 'over_limit'),
    );
    const asked = denied && charge !== 'always' ? counted.map(lookOnly) : counted;
    const readings = await local.take(asked, charge, nowUs);
    let next = 0;
    return uncounted.map((reading, i) => {
      if (policies[i] !== 'local') return reading;
      const at = next++;
      return localReading(readings[at] as Reading, asked[at] as Hit, because);
    });
  }

  function shareOf(hit: Hit): Hit {
    return { ...hit, limit: shareOfLimit(hit.limit, localShare) };
  }

  return {
    take: (hits, charge, nowUs, caller) =>
      inner.take(hits, charge, nowUs, caller).catch((error: unknown) => fallBack(error, hits, charge, nowUs)),
  };
}

const NONE: ReadonlyMap<Hit, Reading> = new Map();

function shareOfLimit({ requestsPerUnit, capacity, ...rest }: Limit, share: number): Limit {
  const burst = Math.ceil(capacity / share);
  return limit({ ...rest, requestsPerUnit: Math.ceil(requestsPerUnit / share), burst }, rest);
}

type Assumed = Extract<Reading, { kind: 'assumed' }>;

/** `allow` tells what the first request of a window is told, and never lets through what no counter could. */
function uncountedReading(hit: Hit, policy: FailurePolicy, because: Fallback['because']): Assumed {
  const remaining = hit.limit.capacity - Math.max(0, hit.cost);
  if (policy === 'deny' || remaining < 0) return { kind: 'assumed', outcome: 'over_limit', because };
  return { kind: 'assumed', outcome: 'ok', because, remaining };
}

function localReading(reading: Reading, hit: Hit, because: Fallback['because']): Assumed {
  const { resetAfterUs } = reading;
  const reset = resetAfterUs === undefined ? {} : { resetAfterUs };
  if (reading.kind === 'assumed' || tellsOver(reading, hit)) {
    return { kind: 'assumed', outcome: 'over_limit', because, ...reset };
  }
  return { kind: 'assumed', outcome: 'ok', because, remaining: hit.limit.capacity - reading.used, ...reset };
}

function lookOnly(hit: Hit): Hit {
  return hit.cost > 0 ? { ...hit, cost: 0 } : hit;
}
