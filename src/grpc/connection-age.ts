import type { Http2Server, ServerHttp2Session } from 'node:http2';

export interface ConnectionAgeOptions {
  /** A connection is asked to leave when it is so old, give or take a tenth. 0: never. */
  readonly maxAgeMs: number;
  /** What its calls may take from then on before it is cut. 0: as long as they like. */
  readonly graceMs: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** Asks the client to leave. */
  readonly ask: (session: ServerHttp2Session) => void;
  /** Ends the connection, whatever is going on there. */
  readonly cut: (session: ServerHttp2Session) => void;
}

/** What a timer of Node takes: 24 days. */
export const MOST_TIMER_MS = 2 ** 31 - 1;

/**
 * Lets no connection of the server grow older than that. A client is asked to leave when a call of it has just come:
 * some clients fail what they were about to send when they are asked with nothing open. One that is silent may stay.
 */
export function limitConnectionAge(server: Http2Server, options: ConnectionAgeOptions): void {
  const { maxAgeMs, graceMs, random, ask, cut } = options;
  if (maxAgeMs === 0) return;
  const old = new WeakSet<ServerHttp2Session>();
  server.on('session', (session) => {
    afterwards(session, maxAgeMs * (0.9 + random() / 5), () => old.add(session));
  });
  server.prependListener('stream', ({ session }) => {
    if (session === undefined || !old.delete(session as ServerHttp2Session)) return;
    ask(session as ServerHttp2Session);
    if (graceMs > 0) afterwards(session as ServerHttp2Session, graceMs, () => cut(session as ServerHttp2Session));
  });
}

function afterwards(session: ServerHttp2Session, ms: number, what: () => void): void {
  const timer = setTimeout(what, Math.min(MOST_TIMER_MS, ms));
  timer.unref();
  session.once('close', () => clearTimeout(timer));
}
