import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Weir } from './client.ts';
import { CancelledError } from './errors.ts';
import { guard, type RateLimitOptions, refusalOf } from './guard.ts';

export type { RateLimitOptions } from './guard.ts';

/** What of a FastifyRequest and a FastifyReply is used. */
interface RequestOfFastify {
  readonly raw: IncomingMessage;
}
interface ReplyOfFastify {
  readonly raw: ServerResponse;
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: unknown): unknown;
  hijack(): unknown;
}

/**
 * An `onRequest` or `preHandler` hook: `app.addHook('onRequest', rateLimit(weir, { ... }))`, or of one route. Answers 429
 * with headers and a JSON body, or sets the headers and goes on. Type parameter: FastifyRequest.
 */
export function rateLimit<Request extends RequestOfFastify>(weir: Weir, options: RateLimitOptions<Request>) {
  return async (request: Request, reply: ReplyOfFastify): Promise<unknown> => {
    const gone = new AbortController();
    const leave = () => gone.abort();
    reply.raw.once('close', leave);
    try {
      const answer = await guard(weir, options, request, gone.signal);
      if (answer === null) return undefined;
      if (answer.allowed) {
        reply.headers({ ...answer.headers });
        return undefined;
      }
      const { status, headers, body } = refusalOf(answer);
      reply.code(status);
      reply.headers({ ...headers });
      reply.send(body);
      return reply;
    } catch (error) {
      // Nobody waits for an answer any more.
      if (!(error instanceof CancelledError && gone.signal.aborted)) throw error;
      return reply.hijack();
    } finally {
      reply.raw.off('close', leave);
    }
  };
}
