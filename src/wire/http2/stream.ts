import type { Connection } from './connection.ts';
import type { ErrorCode } from './frame.ts';

/** Who serves a stream. None of these may throw. */
export interface StreamEvents {
  /** A piece of the body: `bytes` from `start` to `end`. Give its length back to `stream.consume` once it is done with. */
  data(bytes: Buffer, start: number, end: number): void;
  /** The peer has said everything. */
  end(): void;
  /** Nothing more can be said: the peer has reset the stream or gone, or has made an error that ends it. */
  reset(): void;
  /** Everything that had to wait for a window has been sent. */
  drained(): void;
  /** Whether work was begun that a reset does not undo. */
  readonly begun: boolean;
  /** A look at the clock now and then, about ten times a second. */
  tick(nowMs: number): void;
}

/** RFC 9113, section 5.1. The connection makes it, reads its frames, and moves its bytes through both windows. */
export class Stream {
  readonly id: number;
  readonly connection: Connection;
  /** In which read of the connection it was opened. */
  readonly openedInRead: number;
  events!: StreamEvents;
  /** No HEADERS, DATA or trailers may come any more. */
  remoteEnded = false;
  /** It is over: nothing comes or goes any more. */
  closed = false;
  sendWindow: number;
  receiveWindow: number;
  /** Bytes of the body that are to come; -1 when the peer has not said. */
  contentLeft: number;
  /** What waits for a window, and how much of the first piece has been sent. */
  queue: Uint8Array[] | null = null;
  queuedBytes = 0;
  sentOfFirst = 0;
  /** To be sent behind the queue: trailers, or nothing but the end. */
  ending: Buffer | 'end' | null = null;
  /** When the queue last moved. */
  movedMs = 0;
  private consumed = 0;

  constructor(connection: Connection, id: number, sendWindow: number, receiveWindow: number, contentLeft: number) {
    this.connection = connection;
    this.id = id;
    this.openedInRead = connection.reads;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.contentLeft = contentLeft;
  }

  /** The response's header block; `end` when nothing follows. */
  headers(block: Buffer, end: boolean): void {
    if (this.closed) return;
    this.connection.sender.block(this, block, end);
    if (end) this.connection.streamEnded(this);
  }

  /** Two pieces that belong together; copied before it returns unless a window makes them wait. False when it does. */
  data(prefix: Uint8Array, body: Uint8Array): boolean {
    if (this.closed) return true;
    return this.connection.sender.data(this, prefix, body);
  }

  /** The end, behind what still waits; with a block of trailers when there is one. */
  end(trailers: Buffer | null): void {
    if (this.closed || this.ending !== null) return;
    this.connection.sender.end(this, trailers);
  }

  /** Ends it at once, whatever waits. */
  reset(code: ErrorCode): void {
    if (!this.closed) this.connection.resetStream(this, code);
  }

  /** The body's bytes are done with, so the peer may send as many again. */
  consume(bytes: number): void {
    this.consumed += bytes;
    if (this.closed || this.remoteEnded || this.consumed * 2 < this.connection.bounds.streamWindowBytes) return;
    this.connection.sender.windowUpdate(this.id, this.consumed);
    this.receiveWindow += this.consumed;
    this.consumed = 0;
  }
}
