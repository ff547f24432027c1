import { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

export interface ConnectionAgeOptions {
  /** A connection is asked to leave when it is so old, give or take a tenth. 0: never. */
  readonly maxAgeMs: number;
  /** What its calls may take from then on before it is cut. 0: as long as they like. */
  readonly graceMs: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** Ends the connection of a session, whatever is going on there. */
  readonly cut: (session: ServerHttp2Session) => void;
}

type OnStream = (stream: ServerHttp2Stream, ...rest: unknown[]) => void;

/** What a timer of Node takes: 24 days. */
const MOST_MS = 2 ** 31 - 1;
/** As the id of the last stream: all that may still come. */
const EVERY_STREAM = 2 ** 31 - 1;
/** How long a client may take to see that it shall leave; at most half of what the call has that waits for it. */
const FAREWELL_MS = 1_000;
const UNIT_MS: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, S: 1e3, M: 60e3, H: 3600e3 };

/**
 * Lets no connection of the server grow older than that, and loses no call by it: GOAWAY for streams to come, then, when
 * the client must have read it, the one that names the last stream (RFC 9113, section 6.8). Calls sent before the client
 * knew are answered like all others. Without the first of the two, Envoy fails them.
 *
 * Node drops whatever is read after a GOAWAY while no stream is open. So the farewell begins with a call, which is kept
 * open by being handed on only at its end, some round trips later; an old connection that is silent stays until it speaks.
 */
export function limitConnectionAge(server: Http2Server, options: ConnectionAgeOptions): void {
  const { maxAgeMs, graceMs, random, cut } = options;
  if (maxAgeMs === 0) return;
  const old = new WeakSet<ServerHttp2Session>();
  const handlers = server.listeners('stream') as OnStream[];
  server.removeAllListeners('stream');

  server.on('session', (session) => {
    afterwards(session, maxAgeMs * (0.9 + random() / 5), () => old.add(session));
  });

  server.on('stream', (stream, headers, ...rest) => {
    const session = stream.session as ServerHttp2Session | undefined;
    const handOn = (): void => {
      for (const handler of handlers) handler.call(server, stream, headers, ...rest);
    };
    if (session === undefined || !old.delete(session)) {
      handOn();
      return;
    }
    if (graceMs > 0) afterwards(session, graceMs, () => cut(session));
    // Its caller may leave meanwhile, and then nobody waits for an answer.
    void farewell(session, patienceOf(headers['grpc-timeout'])).then(() => {
      if (!stream.destroyed) handOn();
    });
  });
}

/** Resolves when the client knows that it shall leave, or after `patienceMs`. */
function farewell(session: ServerHttp2Session, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(late);
      session.off('close', done);
      session.close();
      resolve();
    };
    const late = setTimeout(done, patienceMs);
    session.once('close', done);
    session.goaway(constants.NGHTTP2_NO_ERROR, EVERY_STREAM);
    // Pings overtake a GOAWAY that is still to be written, but not one another: the second is behind it for certain.
    session.ping(() => {
      if (!session.destroyed) session.ping(done);
    });
  });
}

function afterwards(session: ServerHttp2Session, ms: number, what: () => void): void {
  const timer = setTimeout(what, Math.min(MOST_MS, ms));
  timer.unref();
  session.once('close', () => clearTimeout(timer));
}

/** `20m` is 20 ms. What is no timeout is the handler's business. */
function patienceOf(grpcTimeout: string | string[] | undefined): number {
  const [, digits, unit = ''] = /^(\d{1,8})([numSMH])$/.exec(String(grpcTimeout)) ?? [];
  return digits === undefined ? FAREWELL_MS : Math.min(FAREWELL_MS, (Number(digits) * UNIT_MS[unit]!) / 2);
}
