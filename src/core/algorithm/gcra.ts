import type { Micros } from '../request.ts';

/**
 * The generic cell rate algorithm (ITU-T I.371, virtual scheduling): a bucket as one timestamp, the theoretical arrival
 * time (TAT) at which it is full again if nobody comes. Each hit moves it on by one interval, and is admitted while it
 * stands no further ahead than a full bucket's worth of intervals; a refused hit changes nothing.
 *
 * Times are whole microseconds and parts of 2^-20 of one, so that any rate is exact on a grid of a picosecond and all
 * arithmetic is on integers that doubles hold. Rounding the interval up errs by less than one part: a bucket never gives
 * more than its rate.
 *
 * Its twin for Redis is `store/redis/lua/gcra.lua`; a law holds both against each other.
 */

/** Parts of a microsecond. */
const PARTS = 0x10_0000;

/** What every hit of one limit needs to know. */
export interface Bucket {
  /** Hits that fit at once; 0 refuses all. */
  readonly burst: number;
  /** The time that one hit takes to flow off: whole microseconds, and parts. */
  readonly intervalUs: Micros;
  readonly intervalParts: number;
}

/** The TAT. Zero, like any time that has passed, is a full bucket. */
export interface BucketState {
  readonly tatUs: Micros;
  /** 0 to 2^20 - 1. */
  readonly tatParts: number;
}

export const FULL: BucketState = { tatUs: 0, tatParts: 0 };

/** What became of a hit. */
export interface BucketOutcome {
  readonly over: boolean;
  readonly state: BucketState;
  /** Hits that don't fit now, 0 to `burst`. */
  readonly used: number;
  /**
   * When over: until this cost would be admitted if nobody else came, to the microsecond; for one that never fits, and
   * when admitted: until the bucket is full.
   */
  readonly resetAfterUs: Micros;
}

/**
 * A bucket of `burst` that regains `requestsPerUnit` hits in `periodUs`. Both are at most 2^32-1, and `burst` intervals
 * together below `MOST_BUCKET_US`, or nothing is exact any more. A limit of 0 has a bucket of 0.
 */
export function bucketOf(requestsPerUnit: number, periodUs: Micros, burst: number): Bucket {
  if (requestsPerUnit === 0) return { burst: 0, intervalUs: periodUs, intervalParts: 0 };
  const whole = Math.floor(periodUs / requestsPerUnit);
  const parts = Math.ceil(((periodUs % requestsPerUnit) * PARTS) / requestsPerUnit);
  if (parts === PARTS) return { burst, intervalUs: whole + 1, intervalParts: 0 };
  return { burst, intervalUs: whole, intervalParts: parts };
}

/** Time in which a bucket may fill, about 140 years. */
export const MOST_BUCKET_US = 2 ** 52;

/**
 * Clocks may be set back by so much. A TAT that is further ahead than a full bucket and this was not made by that, but by
 * a limit that has changed or a clock that was wrong: it is moved to a full bucket ahead, so that nobody waits longer.
 */
const CLOCK_STEP_US = 5_000_000;

/**
 * Charges a hit. A cost of 0 looks; a negative one gives back, at most until the bucket is full. A refused hit takes
 * nothing, but moves back a TAT that is too far ahead.
 */
export function gcra(state: BucketState, cost: number, bucket: Bucket, nowUs: Micros): BucketOutcome {
  const { burst, intervalUs, intervalParts } = bucket;
  let aheadUs = state.tatUs - nowUs;
  let aheadParts = state.tatParts;
  if (aheadUs < 0) aheadUs = aheadParts = 0;
  const parts = burst * intervalParts;
  const fullUs = burst * intervalUs + Math.floor(parts / PARTS);
  const fullParts = parts % PARTS;
  if (isLater(aheadUs, aheadParts, fullUs + (cost < 0 ? 0 : CLOCK_STEP_US), fullParts)) {
    aheadUs = fullUs;
    aheadParts = fullParts;
  }
  if (cost > burst) return outcome(bucket, true, aheadUs, aheadParts, nowUs);

  const moves = Math.max(cost, -burst);
  const sumParts = aheadParts + moves * intervalParts;
  let thenUs = aheadUs + moves * intervalUs + Math.floor(sumParts / PARTS);
  let thenParts = sumParts - Math.floor(sumParts / PARTS) * PARTS;
  if (cost > 0 && isLater(thenUs, thenParts, fullUs, fullParts)) {
    const waitUs = thenUs - fullUs + (thenParts > fullParts ? 1 : 0);
    return outcome(bucket, true, aheadUs, aheadParts, nowUs, waitUs);
  }
  if (thenUs < 0) thenUs = thenParts = 0;
  return outcome(bucket, false, thenUs, thenParts, nowUs);
}

function outcome(
  bucket: Bucket,
  over: boolean,
  aheadUs: Micros,
  aheadParts: number,
  nowUs: Micros,
  resetAfterUs = aheadUs + (aheadParts > 0 ? 1 : 0),
): BucketOutcome {
  const used = Math.min(bucket.burst, taken(bucket, aheadUs, aheadParts));
  return { over, state: { tatUs: nowUs + aheadUs, tatParts: aheadParts }, used, resetAfterUs };
}

/** How many intervals it takes to cover the time ahead. A quotient in doubles is off by less than a half; then exactly. */
function taken({ intervalUs, intervalParts }: Bucket, aheadUs: Micros, aheadParts: number): number {
  const near = Math.round((aheadUs + aheadParts / PARTS) / (intervalUs + intervalParts / PARTS));
  const parts = near * intervalParts;
  const us = near * intervalUs + Math.floor(parts / PARTS);
  return isLater(aheadUs, aheadParts, us, parts % PARTS) ? near + 1 : near;
}

function isLater(us: Micros, parts: number, thanUs: Micros, thanParts: number): boolean {
  return us > thanUs || (us === thanUs && parts > thanParts);
}
