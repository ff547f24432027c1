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

/** Charges a hit. A cost of 0 looks; a negative one gives back, at most until the bucket is full. */
export function gcra(state: BucketState, cost: number, bucket: Bucket, nowUs: Micros): BucketOutcome {
  const { burst, intervalUs, intervalParts } = bucket;
  // How far the TAT is ahead, at most a full bucket: a lowered limit or a clock that was ahead makes nobody wait longer.
  let aheadUs = state.tatUs - nowUs;
  let aheadParts = state.tatParts;
  if (aheadUs < 0) aheadUs = aheadParts = 0;
  const spareParts = burst * intervalParts;
  const spareUs = burst * intervalUs + Math.floor(spareParts / PARTS);
  if (isLater(aheadUs, aheadParts, spareUs, spareParts % PARTS)) {
    aheadUs = spareUs;
    aheadParts = spareParts % PARTS;
  }
  if (cost > burst) return outcome(bucket, aheadUs, aheadParts, nowUs, true, aheadUs + (aheadParts > 0 ? 1 : 0));

  const moves = Math.max(cost, -burst);
  const parts = aheadParts + moves * intervalParts;
  let afterUs = aheadUs + moves * intervalUs + Math.floor(parts / PARTS);
  let afterParts = parts - Math.floor(parts / PARTS) * PARTS;
  if (isLater(afterUs, afterParts, spareUs, spareParts % PARTS)) {
    const waitUs = afterUs - spareUs + (afterParts > spareParts % PARTS ? 1 : 0);
    return outcome(bucket, aheadUs, aheadParts, nowUs, true, waitUs);
  }
  if (afterUs < 0) afterUs = afterParts = 0;
  return outcome(bucket, afterUs, afterParts, nowUs, false, afterUs + (afterParts > 0 ? 1 : 0));
}

function outcome(
  bucket: Bucket,
  aheadUs: Micros,
  aheadParts: number,
  nowUs: Micros,
  over: boolean,
  resetAfterUs: Micros,
): BucketOutcome {
  const state = { tatUs: nowUs + aheadUs, tatParts: aheadParts };
  return { over, state, used: taken(bucket, aheadUs, aheadParts), resetAfterUs };
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
