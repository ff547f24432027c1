import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';
import type { Weir } from './client.ts';
import { CancelledError } from './errors.ts';
import { guard, type RateLimitOptions, refusalOf } from './guard.ts';

export type { RateLimitOptions } from './guard.ts';

/**
 * Middleware for Express, and for whatever else takes `(request, response, next)`. Answers 429 with headers and a JSON
 * body, or sets the headers and goes on. Type parameter: express.Request.
 */
export function rateLimit<Request extends IncomingMessage>(weir: Weir, options: RateLimitOptions<Request>) {
  return async (request: Request, response: ServerResponse, next: (error?: unknown) => void): Promise<void> => {
    const gone = new AbortController();
    const leave = () => gone.abort();
    response.once('close', leave);
    let answer: Answer | null;
    try {
      answer = await guard(weir, options, request, gone.signal);
    } catch (error) {
      // Nobody waits for an answer any more.
      if (error instanceof CancelledError && gone.signal.aborted) return;
      return next(error);
    } finally {
      response.off('close', leave);
    }
    const refusal = answer === null || answer.allowed ? null : refusalOf(answer);
    const headers = refusal?.headers ?? answer?.headers ?? {};
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (refusal === null) return next();
    response.statusCode = refusal.status;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(JSON.stringify(refusal.body));
  };
}
