import type { Hit, Reading, Refuses } from '../../src/core/decision.ts';
import { limit as limitOf } from '../../src/core/limit.ts';

/** 2026-11-21 08:00:00 UTC: the start of an hour. */
export const NOW_US = 1_795_248_000_000_000;
export const HOUR_US = 3_600_000_000;

interface HitOptions {
  readonly cost?: number;
  readonly limit?: number;
  readonly shadow?: boolean;
  readonly refuses?: Refuses;
  /** Which descriptor of the request it belongs to: hits of one that refuse together are one quota. */
  readonly of?: number;
}

/** A hit on an hourly limit. Limit and cost are 10 and 1 when not said. */
export function hit(
  key: string,
  { cost = 1, limit = 10, shadow = false, refuses = shadow ? 'never' : 'alone', of = 0 }: HitOptions = {},
): Hit {
  return {
    of,
    key,
    previousKey: '',
    limit: limitOf({ requestsPerUnit: limit, unit: 'hour' }),
    cost,
    windowSeconds: 3_600,
    windowEndUs: NOW_US + HOUR_US,
    shadow,
    refuses,
    onStoreFailure: null,
  };
}

/** On a sliding window of an hour, as `plan` makes it at that time. */
export function slidingHit(
  key: string,
  { atUs = NOW_US, ...options }: HitOptions & { readonly atUs?: number } = {},
): Hit {
  const startUs = atUs - (atUs % HOUR_US);
  const made = hit(`{${key}}${startUs}`, options);
  return {
    ...made,
    previousKey: `{${key}}${startUs - HOUR_US}`,
    limit: limitOf({ requestsPerUnit: made.limit.capacity, unit: 'hour', algorithm: 'sliding_window' }),
    windowEndUs: startUs + HOUR_US,
  };
}

/** On a bucket of `limit` that regains one hit a year, so that it does not matter how long a test runs. */
export function bucketHit(key: string, options: HitOptions = {}): Hit {
  const made = hit(`{${key}}`, options);
  const burst = made.limit.capacity;
  return { ...made, limit: limitOf({ requestsPerUnit: 1, unit: 'year', algorithm: 'token_bucket', burst }) };
}

/** The counters of readings; an assumed one reads as its reason. */
export function used(readings: readonly Reading[]): (number | string)[] {
  return readings.map((reading) => (reading.kind === 'counted' ? reading.used : reading.because));
}
