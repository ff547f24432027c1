import type { Decision } from '../core/decision.ts';
import { CallerGoneError, NoRulesError, StoreError } from '../core/ports.ts';
import type { Projection } from '../core/projection.ts';
import { type CheckRequest, REQUEST_BOUNDS, type RequestBounds, RequestError } from '../core/request.ts';
import type { Limiter } from '../limiter.ts';
import { type OnCall, RPC_CODE, type RpcCode, RpcError, type UnaryHandler } from './handler.ts';
import { DecodeError } from './reader.ts';
import { decodeRequest, encodeResponse } from './rls.ts';

export const SHOULD_RATE_LIMIT = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

export interface ShouldRateLimitOptions {
  readonly limiter: Pick<Limiter, 'decide'>;
  readonly project: (decision: Decision) => Projection;
  readonly bounds?: RequestBounds;
  /** Told of an error that nobody expected; the caller only learns `internal error`. */
  readonly onBug: (error: unknown) => void;
  readonly onCall?: OnCall;
  /** Told of a message that is no request, or breaches a bound of requests. */
  readonly onUnreadable?: (error: Error) => void;
}

/** envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit. */
export function shouldRateLimit(options: ShouldRateLimitOptions): UnaryHandler {
  const { limiter, project, bounds = REQUEST_BOUNDS, onBug, onCall, onUnreadable } = options;

  function read(message: Uint8Array): CheckRequest {
    try {
      return decodeRequest(message, bounds);
    } catch (error) {
      onUnreadable?.(error as Error);
      throw error;
    }
  }

  return async function answer(message, call) {
    const startMs = performance.now();
    let code: RpcCode = RPC_CODE.ok;
    try {
      const decision = await limiter.decide(read(message), call);
      return encodeResponse(decision, project(decision));
    } catch (error) {
      const refusal = refusalOf(error);
      code = refusal.code;
      if (code === RPC_CODE.internal && !(error instanceof DecodeError)) onBug(error);
      throw refusal;
    } finally {
      onCall?.('ShouldRateLimit', code, performance.now() - startMs);
    }
  };
}

function refusalOf(error: unknown): RpcError {
  if (error instanceof RequestError) return new RpcError(RPC_CODE.invalidArgument, error.message);
  if (error instanceof StoreError) {
    // Busy is said of weir itself, and Envoy may be told to retry what is unavailable.
    return new RpcError(error.code === 'busy' ? RPC_CODE.resourceExhausted : RPC_CODE.unavailable, error.message);
  }
  if (error instanceof CallerGoneError) return new RpcError(RPC_CODE.cancelled, error.message);
  if (error instanceof NoRulesError) return new RpcError(RPC_CODE.failedPrecondition, error.message);
  if (error instanceof DecodeError) {
    return new RpcError(RPC_CODE.internal, `grpc: error unmarshalling request: ${error.message}`);
  }
  return new RpcError(RPC_CODE.internal, 'internal error');
}
