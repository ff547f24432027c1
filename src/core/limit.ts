import { UNIT_SECONDS, type Unit } from './unit.ts';

export type Algorithm = 'fixed_window' | 'sliding_window' | 'token_bucket' | 'leaky_bucket';

/** What is said of a limit, in rules or in a request. */
export interface LimitNumbers {
  /** 0 blocks everything but a check with 0 hits. At most 2^32-1. */
  readonly requestsPerUnit: number;
  readonly unit: Unit;
  /** So many units are one window, or the time in which a bucket takes `requestsPerUnit`. At least 1. */
  readonly multiplier?: number;
  readonly algorithm?: Algorithm;
  /** What a bucket holds; means nothing for windows. */
  readonly burst?: number | null;
  /** An IANA name when windows begin with the calendar's days, weeks, months or years there. */
  readonly timeZone?: string | null;
}

/** What a rule adds to the numbers. */
export interface LimitWords {
  /** For `replaces`. */
  readonly name?: string;
  /** `current_limit.name` of the answer. */
  readonly shownName?: string;
  readonly shadowMode?: boolean;
  /** Stands after the rule's metric key, where a rule has `rate_limits`; then never ''. */
  readonly series?: string;
}

/** A limit with everything that follows from it. Two with equal fields are interchangeable. */
export interface Limit {
  readonly requestsPerUnit: number;
  readonly unit: Unit;
  readonly multiplier: number;
  readonly algorithm: Algorithm;
  /** How many hits fit at once: `used` is held against it. */
  readonly capacity: number;
  readonly timeZone: string | null;
  /** Of a window that does not follow the calendar, and of the time in which a bucket fills by `requestsPerUnit`. */
  readonly windowSeconds: number;
  /** It says nothing that the Go service does not know, so that both may share its counter. */
  readonly plain: boolean;
  /** What an escaped key has after the descriptor: the algorithm and the window, and not how much they admit. */
  readonly keyTail: string;
  readonly name: string;
  readonly shownName: string;
  readonly shadowMode: boolean;
  readonly series: string;
}

export function limit(numbers: LimitNumbers, words: LimitWords = {}): Limit {
  const { requestsPerUnit, unit, multiplier = 1, algorithm = 'fixed_window', burst = null, timeZone = null } = numbers;
  const { series = '' } = words;
  return {
    requestsPerUnit,
    unit,
    multiplier,
    algorithm,
    capacity: isBucket(algorithm) ? (burst ?? defaultBurst(algorithm, requestsPerUnit)) : requestsPerUnit,
    timeZone,
    windowSeconds: UNIT_SECONDS[unit] * multiplier,
    // Of several limits on a rule the Go service's keys would meet where their windows begin together.
    plain: algorithm === 'fixed_window' && multiplier === 1 && timeZone === null && series === '',
    keyTail: `|${algorithm}:${multiplier === 1 ? '' : multiplier}${unit}${timeZone === null ? '' : `@${timeZone}`}|`,
    name: words.name ?? '',
    shownName: words.shownName ?? words.name ?? '',
    shadowMode: words.shadowMode ?? false,
    series,
  };
}

/** One timestamp a key instead of windows: the generic cell rate algorithm. */
export function isBucket(algorithm: Algorithm): boolean {
  return algorithm === 'token_bucket' || algorithm === 'leaky_bucket';
}

function defaultBurst(algorithm: Algorithm, requestsPerUnit: number): number {
  return algorithm === 'leaky_bucket' ? Math.min(1, requestsPerUnit) : requestsPerUnit;
}
