import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Caller } from '../core/ports.ts';

/** What a handler learns of a request. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** What follows the `?`; '' without one. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** The address of who asks; '' when the connection is gone. */
  readonly peer: string;
  readonly body: Uint8Array;
  /** The listener is called once, when the answer is out or nobody waits for it any more. */
  onClosed(listener: () => void): void;
  /** No header tells a deadline: whoever gives up waiting closes the connection, which is `cancelled`. */
  readonly caller: Caller;
}

export interface HttpReply {
  readonly status: number;
  /** '' sends no content-type, which is for an empty body. */
  readonly contentType: string;
  /** A stream is sent as it comes, and destroyed when nobody reads it any more. */
  readonly body: string | Readable;
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
