import type { HttpRequest } from '../../src/http/exchange.ts';

/** A request as the server hands it to a handler, from this host. */
export function httpRequest(said: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: 'GET',
    path: '/',
    query: '',
    headers: { host: 'localhost' },
    peer: '127.0.0.1',
    body: new Uint8Array(),
    caller: { deadlineMs: null, cancelled: false },
    onClosed() {},
    ...said,
  };
}
