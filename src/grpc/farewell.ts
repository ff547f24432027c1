import { writeSync } from 'node:fs';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** GOAWAY with NO_ERROR that names no last stream: whatever was sent before it was read is answered. */
const LEAVE = Buffer.of(0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0);
/** How long a client may take to read it. */
const HEARD_MS = 10_000;
/** For a socket that is full. */
const AGAIN_MS = 5;

interface Handle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
}

/**
 * Asks a client to leave without losing a call of it: first to open no more streams here, then, when answers to
 * pings show that it has read that, by the GOAWAY that names the last stream (RFC 9113, section 6.8). A call between the
 * two is answered like any other; with the second alone, Envoy fails it.
 *
 * nghttp2 takes no stream after any GOAWAY, and its notice for this is out of reach in Node. So the first is written past
 * it, to the socket itself, where no frame is half written. In TLS there is no such way: there the second is all.
 */
export function sayFarewell(session: ServerHttp2Session, socket: Socket): void {
  const close = (): void => {
    clearTimeout(late);
    clearInterval(again);
    if (!session.destroyed) session.close();
  };
  const tell = (): void => {
    if (session.closed || session.destroyed) close();
    else if (isTold(socket)) {
      clearInterval(again);
      // Clients answer a ping ahead of calls that they have not sent yet, so it takes the answer to another one.
      session.ping(() => {
        if (!session.destroyed) session.ping(close);
      });
    }
  };
  const late = setTimeout(close, HEARD_MS);
  const again = setInterval(tell, AGAIN_MS);
  session.once('close', close);
  if (socket instanceof TLSSocket) close();
  else tell();
}

/** False when nothing could be written now. */
function isTold(socket: Socket): boolean {
  const { fd, writeQueueSize } = ((socket as unknown as { _handle?: Handle | null })._handle ?? {}) as Handle;
  if (fd === undefined || fd < 0 || writeQueueSize !== 0) return false;
  let written: number;
  try {
    written = writeSync(fd, LEAVE);
  } catch {
    return false;
  }
  // A piece of a frame makes nonsense of all that follows.
  if (written !== LEAVE.length) socket.destroy();
  return true;
}
