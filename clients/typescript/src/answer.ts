import { ServiceError, type WeirError } from './errors.ts';
import { headersOf } from './headers.ts';
import { type Unit, unitOfNumber } from './unit.ts';
import type { WireResponse, WireStatus } from './wire.ts';

export interface Answer {
  readonly allowed: boolean;
  /** `failure_policy`: the service gave no answer, and `failure` says why. */
  readonly decidedBy: 'service' | 'failure_policy';
  /**
   * The limit that binds: of a refused request the one over its limit that resets last, else the one with the fewest
   * left. null when nothing limits the request.
   */
  readonly limit: Limit | null;
  /** Of `limit`. */
  readonly remaining: number | null;
  /** Of `limit`: whole seconds until it resets, at least 1; when refused, how long to wait. */
  readonly resetSeconds: number | null;
  /** The same as a moment on the clock of this machine. */
  readonly resetAt: Date | null;
  /** To send to whoever asked: RateLimit, RateLimit-Policy, the older three, Retry-After on refusals, the service's own. */
  readonly headers: Readonly<Record<string, string>>;
  /** One for each descriptor, in their order. Empty when a failure policy answered. */
  readonly statuses: readonly Status[];
  readonly failure: WeirError | null;
}

export interface Limit {
  readonly requests: number;
  /** null when it is one that this version does not know. */
  readonly unit: Unit | null;
  /** Of its window. null when the unit is unknown. */
  readonly windowSeconds: number | null;
  /** '' when the rules give it none. */
  readonly name: string;
}

export interface Status {
  readonly over: boolean;
  /** null when nothing limits the descriptor. */
  readonly limit: Limit | null;
  readonly remaining: number;
  /** null when the service does not tell. */
  readonly resetSeconds: number | null;
}

/** 292 years: more than any limit has, and few enough for dates and headers. */
const MOST_SECONDS = 9_223_372_036;
const CODE = { ok: 1, overLimit: 2 } as const;

/** Throws ServiceError when the answer does not say yes or no, or not one thing for each descriptor. */
export function answerOf(response: WireResponse, descriptors: number, nowMs: number): Answer {
  const { overallCode } = response;
  if (overallCode !== CODE.ok && overallCode !== CODE.overLimit) {
    throw new ServiceError(`the service answered with the code ${overallCode}, which is no yes and no no`, null);
  }
  const statuses = response.statuses.map(statusOf);
  if (statuses.length !== descriptors) {
    throw new ServiceError(`the service answered ${statuses.length} statuses to ${descriptors} descriptors`, null);
  }
  const allowed = overallCode === CODE.ok;
  const binding = allowed ? fewestLeft(statuses) : lastToReset(statuses);
  const resetSeconds = binding?.resetSeconds ?? null;
  return {
    allowed,
    decidedBy: 'service',
    limit: binding?.limit ?? null,
    remaining: binding?.remaining ?? null,
    resetSeconds,
    resetAt: resetSeconds === null ? null : new Date(nowMs + resetSeconds * 1_000),
    headers: headersOf(allowed, binding, statuses, response.responseHeadersToAdd),
    statuses,
    failure: null,
  };
}

/** What is told when the service was asked in vain. */
export function assumedAnswer(allowed: boolean, failure: WeirError): Answer {
  return {
    allowed,
    decidedBy: 'failure_policy',
    limit: null,
    remaining: null,
    resetSeconds: null,
    resetAt: null,
    headers: {},
    statuses: [],
    failure,
  };
}

function statusOf({ code, currentLimit, limitRemaining, durationUntilReset }: WireStatus): Status {
  return {
    over: code === CODE.overLimit,
    limit: currentLimit === null ? null : limitOf(currentLimit),
    remaining: limitRemaining,
    resetSeconds:
      durationUntilReset === null
        ? null
        : Math.min(MOST_SECONDS, Math.max(1, durationUntilReset.seconds + (durationUntilReset.nanos > 0 ? 1 : 0))),
  };
}

/** weir tells a window of several units by its seconds, behind the name. */
function limitOf({ requestsPerUnit, unit, name }: NonNullable<WireStatus['currentLimit']>): Limit {
  const known = unitOfNumber(unit);
  const [, plain = name, seconds] = /^(.*);w=(\d{1,10})$/s.exec(name) ?? [];
  return {
    requests: requestsPerUnit,
    unit: known?.unit ?? null,
    windowSeconds: seconds === undefined ? (known?.seconds ?? null) : Number(seconds),
    name: plain,
  };
}

function lastToReset(statuses: readonly Status[]): Status | null {
  let last: Status | null = null;
  for (const each of statuses) {
    if (each.over && each.limit && (last === null || (each.resetSeconds ?? 0) > (last.resetSeconds ?? 0))) last = each;
  }
  return last;
}

function fewestLeft(statuses: readonly Status[]): Status | null {
  let least: Status | null = null;
  for (const each of statuses) {
    if (!each.over && each.limit && (least === null || each.remaining < least.remaining)) least = each;
  }
  return least;
}
