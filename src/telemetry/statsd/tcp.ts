import { connect, type Socket } from 'node:net';
import type { Wire } from './sink.ts';

/** One write; the next waits until the system took it, so that a receiver that stalls costs no more memory than this. */
const CHUNK_BYTES = 64 * 1024;
const CONNECT_TIMEOUT_MS = 1_500;
/** A receiver that takes nothing for so long is left. */
const STALL_MS = 5_000;
const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 30_000;

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** 0 to 1, for the jitter of reconnects. */
  readonly random?: () => number;
}

/** One connection, made when there is something to tell and kept until it breaks. */
export function tcpWire({ host, port, random = Math.random }: TcpOptions): Wire {
  let socket: Socket | null = null;
  let failures = 0;
  let notBeforeMs = 0;
  let why = new Error('not connected yet');

  function dial(): Promise<Error | null> {
    return new Promise((resolve) => {
      const made = connect({ host, port, keepAlive: true });
      made.setTimeout(CONNECT_TIMEOUT_MS, () => made.destroy(new Error('connecting took too long')));
      made.once('connect', () => {
        made.setTimeout(0);
        socket = made;
        failures = 0;
        resolve(null);
      });
      // What a receiver says is not read, but must be taken: else its going is not seen.
      made.resume();
      made.on('error', (error) => {
        why = error;
      });
      made.once('close', () => {
        if (socket === made) socket = null;
        else failures++;
        const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 16), MOST_RETRY_MS);
        notBeforeMs = performance.now() + waitMs * (0.5 + random() / 2);
        resolve(why);
      });
    });
  }

  return {
    maxBytes: CHUNK_BYTES,
    async open(last) {
      if (socket !== null) return null;
      if (!last && performance.now() < notBeforeMs) return why;
      return dial();
    },
    send(text) {
      const to = socket;
      if (to === null) return Promise.resolve(why);
      return new Promise((resolve) => {
        const stalled = setTimeout(() => to.destroy(new Error('the receiver takes nothing')), STALL_MS);
        stalled.unref();
        to.write(text, (error) => {
          clearTimeout(stalled);
          resolve(error ? (to.errored ?? error) : null);
        });
      });
    },
    async close() {
      const from = socket;
      if (from === null) return;
      await new Promise<void>((resolve) => {
        from.once('close', resolve);
        from.setTimeout(CONNECT_TIMEOUT_MS, () => from.destroy());
        from.end(() => from.destroy());
      });
    },
  };
}
