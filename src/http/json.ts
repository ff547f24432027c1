import type { Decision, Verdict } from '../core/decision.ts';
import type { Limit } from '../core/limit.ts';
import { CallerGoneError, NoRulesError, StoreError } from '../core/ports.ts';
import { type Projection, wholeSeconds } from '../core/projection.ts';
import { type CheckRequest, type RequestBounds, RequestError } from '../core/request.ts';
import type { Limiter } from '../limiter.ts';
import { type HttpHandler, JSON_TYPE, textReply } from './exchange.ts';
import { JsonError } from './json-text.ts';
import { requestFromJson } from './proto-json.ts';

export interface JsonHandlerOptions {
  readonly limiter: Pick<Limiter, 'decide'>;
  readonly project: (decision: Decision) => Projection;
  readonly bounds: RequestBounds;
  /** Told of a body that is no request, or breaches a bound of requests. */
  readonly onUnreadable?: (error: Error) => void;
}

/** The Go service tells no reason here, not even for a store that is down; its log does. */
const BAD_REQUEST = textReply(400, 'Bad Request\n');
/** Weir is busy itself: the only failure here that says so, since coming back later may help. The Go service has none. */
const BUSY = textReply(503, 'Service Unavailable\n');
const STATUS = { ok: 200, over_limit: 429 } as const;
const CODE = { ok: 'OK', over_limit: 'OVER_LIMIT' } as const;

/** ShouldRateLimit over HTTP: RateLimitRequest in, RateLimitResponse out, both in proto3 JSON. 429 when over. */
export function jsonHandler({ limiter, project, bounds, onUnreadable }: JsonHandlerOptions): HttpHandler {
  function read(body: Uint8Array): CheckRequest {
    try {
      return requestFromJson(utf8(body), bounds);
    } catch (error) {
      onUnreadable?.(error as Error);
      throw error;
    }
  }

  return async ({ body, caller }) => {
    try {
      const decision = await limiter.decide(read(body), caller);
      const response = responseJson(decision, project(decision));
      return { status: STATUS[decision.outcome], contentType: JSON_TYPE, body: JSON.stringify(response) };
    } catch (error) {
      if (error instanceof StoreError && error.code === 'busy') return BUSY;
      if (isRefusal(error)) return BAD_REQUEST;
      throw error;
    }
  };
}

/** Nobody reads what is said to a caller who has gone. */
function isRefusal(error: unknown): boolean {
  return [JsonError, RequestError, NoRulesError, StoreError, CallerGoneError].some((kind) => error instanceof kind);
}

function utf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new JsonError('not UTF-8');
  }
}

/** RateLimitResponse in proto3 JSON: fields that hold their zero are left out. */
function responseJson(decision: Decision, { headers, metadata }: Projection): object {
  return {
    overallCode: CODE[decision.outcome],
    statuses: decision.verdicts.map(statusJson),
    ...(headers.length === 0 ? {} : { responseHeadersToAdd: headers.map(({ key, value }) => filled({ key, value })) }),
    ...(metadata === null ? {} : { dynamicMetadata: metadata }),
  };
}

function statusJson({ outcome, binding, remaining, resetAfterUs }: Verdict): object {
  return {
    code: CODE[outcome],
    ...(binding === null ? {} : { currentLimit: limitJson(binding.hit.limit) }),
    ...filled({ limitRemaining: remaining }),
    ...(binding === null ? {} : { durationUntilReset: `${wholeSeconds(resetAfterUs)}s` }),
  };
}

function limitJson({ requestsPerUnit, unit, shownName }: Limit): object {
  return { ...filled({ name: shownName, requestsPerUnit }), unit: unit.toUpperCase() };
}

function filled(message: Readonly<Record<string, string | number>>): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== '' && value !== 0));
}
