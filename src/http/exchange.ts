import type { Caller } from '../core/ports.ts';

/** What a handler learns of a request. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly body: Uint8Array;
  /** No header tells a deadline: whoever gives up waiting closes the connection, which is `cancelled`. */
  readonly caller: Caller;
}

export interface HttpReply {
  readonly status: number;
  /** '' sends no content-type, which is for an empty body. */
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers one request. What it throws is a bug, and answered with 500. */
export type HttpHandler = (request: HttpRequest) => HttpReply | Promise<HttpReply>;

export const TEXT = 'text/plain; charset=utf-8';
export const JSON_TYPE = 'application/json';

export function textReply(status: number, body: string): HttpReply {
  return { status, contentType: TEXT, body };
}

export function jsonReply(status: number, value: unknown): HttpReply {
  return { status, contentType: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}
