import type { Answer } from './answer.ts';
import type { FailurePolicy, Weir } from './client.ts';
import type { Descriptor } from './request.ts';

/** What the middleware of each framework takes. */
export interface RateLimitOptions<Request> {
  readonly domain: string;
  /** What a request is limited by. None: it passes without a check. */
  descriptors(request: Request): readonly Descriptor[] | Promise<readonly Descriptor[]>;
  /** Hits of a request; absent: 1. */
  hits?(request: Request): number;
  /** Absent: as the client has it. `deny` answers 503, `raise` goes to the framework's error handling. */
  readonly onFailure?: FailurePolicy;
  readonly timeoutMs?: number;
  /** Told of every answer, for logs and metrics. */
  onAnswer?(answer: Answer, request: Request): void;
}

/** null: the request passes without a check. */
export async function guard<Request>(
  weir: Weir,
  { domain, descriptors, hits, onFailure, timeoutMs, onAnswer }: RateLimitOptions<Request>,
  request: Request,
  signal: AbortSignal,
): Promise<Answer | null> {
  const asked = await descriptors(request);
  if (asked.length === 0) return null;
  const answer = await weir.check(domain, asked, hits?.(request) ?? 1, {
    signal,
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  onAnswer?.(answer, request);
  return answer;
}

export interface Refusal {
  readonly status: 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** 429 when a limit refused; 503 when the failure policy did, since then nobody knows of a limit. */
export function refusalOf({ decidedBy, limit, remaining, resetSeconds, headers }: Answer): Refusal {
  if (decidedBy === 'failure_policy') {
    return {
      status: 503,
      headers: { 'Retry-After': '1' },
      body: { error: 'rate_limit_unavailable', message: 'The rate limit cannot be checked.', retry_after_seconds: 1 },
    };
  }
  const seconds = resetSeconds ?? 1;
  return {
    status: 429,
    headers,
    body: {
      error: 'rate_limited',
      message: `Too many requests. Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`,
      limit: limit?.requests ?? null,
      window_seconds: limit?.windowSeconds ?? null,
      remaining,
      retry_after_seconds: seconds,
    },
  };
}
