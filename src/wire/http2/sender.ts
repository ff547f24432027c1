import { EMPTY_TABLE } from '../hpack/encoder.ts';
import type { Connection } from './connection.ts';
import { FLAG, FRAME, MAX_FRAME_BYTES } from './frame.ts';
import { Output } from './output.ts';
import type { Stream } from './stream.ts';

const NOTHING = new Uint8Array(0);
/** What is too small to be worth a write of its own, and too large to wait for more. */
const FLUSH_AT = 65_536;
const PROGRESS_BYTES = 512;

/** Everything that leaves a connection: never a byte beyond a window of the peer (RFC 9113, section 5.2). */
export class Sender {
  readonly out = new Output();
  /** Of the connection. */
  window = 65_535;
  /** The peer's SETTINGS_MAX_FRAME_SIZE, of which we never use more than we take ourselves. */
  maxFrameBytes = MAX_FRAME_BYTES;
  /** The peer has made our HPACK table smaller, and wants that confirmed by the next block. */
  tableToEmpty = false;
  blockedBytes = 0;
  private readonly connection: Connection;
  /** Streams that only the connection's window keeps from sending, in the order in which they wait. */
  private readonly waiting = new Set<Stream>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  block(stream: Stream, block: Buffer, end: boolean): void {
    const all = this.tableToEmpty ? Buffer.concat([EMPTY_TABLE, block]) : block;
    this.tableToEmpty = false;
    const { length } = all;
    const { out, maxFrameBytes } = this;
    const flags = end ? FLAG.endStream : 0;
    if (length <= maxFrameBytes) {
      out.header(length, FRAME.headers, flags | FLAG.endHeaders, stream.id);
      out.raw(all, 0, length);
    } else {
      for (let at = 0; at < length; at += maxFrameBytes) {
        const to = Math.min(length, at + maxFrameBytes);
        const type = at === 0 ? FRAME.headers : FRAME.continuation;
        const last = to === length ? FLAG.endHeaders : 0;
        out.header(to - at, type, (at === 0 ? flags : 0) | last, stream.id);
        out.raw(all, at, to);
      }
    }
    this.connection.flushSoon();
  }

  data(stream: Stream, prefix: Uint8Array, body: Uint8Array): boolean {
    const length = prefix.length + body.length;
    if (stream.queue === null && length <= this.most(stream)) {
      this.out.header(length, FRAME.data, 0, stream.id);
      this.out.raw(prefix, 0, prefix.length);
      this.out.raw(body, 0, body.length);
      this.window -= length;
      stream.sendWindow -= length;
      this.connection.guards.answer();
      this.sent();
      return true;
    }
    if (stream.queue === null) {
      stream.queue = [];
      stream.movedMs = this.connection.nowMs();
    }
    // The prefix is the caller's scratch.
    stream.queue.push(Uint8Array.from(prefix), body);
    stream.queuedBytes += length;
    this.blockedBytes += length;
    this.pump(stream);
    return stream.queue === null;
  }

  end(stream: Stream, trailers: Buffer | null): void {
    if (stream.queue !== null) {
      stream.ending = trailers ?? 'end';
      return;
    }
    this.sendEnd(stream, trailers ?? 'end');
  }

  /** A window of the stream has grown. */
  streamMayGo(stream: Stream): void {
    if (stream.queue !== null) this.pump(stream);
  }

  /** The window of the connection has grown. */
  connectionMayGo(): void {
    for (const stream of this.waiting) {
      if (this.window <= 0 || this.connection.backedUp) return;
      // A frame of each in turn, so that a large answer does not keep small ones waiting.
      this.waiting.delete(stream);
      this.pump(stream, 1);
    }
  }

  /** Nothing of it will be sent any more. */
  forget(stream: Stream): void {
    this.waiting.delete(stream);
    this.blockedBytes -= stream.queuedBytes;
    stream.queue = null;
    stream.queuedBytes = 0;
    stream.ending = null;
  }

  windowUpdate(streamId: number, increment: number): void {
    this.out.header(4, FRAME.windowUpdate, 0, streamId);
    this.out.uint32(increment);
    this.connection.flushSoon();
  }

  private pump(stream: Stream, mostFrames = Number.POSITIVE_INFINITY): void {
    const { out } = this;
    for (let frames = 0; stream.queuedBytes > 0; frames++) {
      const most = Math.min(this.most(stream), stream.queuedBytes);
      if (most <= 0 || frames === mostFrames) break;
      out.header(most, FRAME.data, 0, stream.id);
      this.shift(stream, most);
      this.window -= most;
      stream.sendWindow -= most;
      this.blockedBytes -= most;
      // A byte now and then is no progress.
      if (most >= PROGRESS_BYTES || stream.queuedBytes === 0) {
        stream.movedMs = this.connection.nowMs();
        this.connection.guards.answer();
      }
      this.sent();
    }
    this.connection.flushSoon();
    if (stream.queuedBytes > 0) {
      if (stream.sendWindow > 0) this.waiting.add(stream);
      return;
    }
    stream.queue = null;
    if (stream.ending !== null) this.sendEnd(stream, stream.ending);
    else stream.events.drained();
  }

  /** Bytes of a frame of it that may go out now. */
  private most(stream: Stream): number {
    return this.connection.backedUp ? 0 : Math.min(stream.sendWindow, this.window, this.maxFrameBytes);
  }

  private sent(): void {
    if (this.out.length >= FLUSH_AT) this.connection.flush();
    else this.connection.flushSoon();
  }

  /** Moves bytes from the head of the queue to the output. */
  private shift(stream: Stream, bytes: number): void {
    const queue = stream.queue!;
    let left = bytes;
    while (left > 0) {
      const piece = queue[0]!;
      const to = Math.min(piece.length, stream.sentOfFirst + left);
      this.out.raw(piece, stream.sentOfFirst, to);
      left -= to - stream.sentOfFirst;
      stream.sentOfFirst = to;
      if (to < piece.length) break;
      queue.shift();
      stream.sentOfFirst = 0;
    }
    stream.queuedBytes -= bytes;
  }

  private sendEnd(stream: Stream, ending: Buffer | 'end'): void {
    stream.ending = null;
    if (ending === 'end') {
      this.out.header(0, FRAME.data, FLAG.endStream, stream.id);
      this.out.raw(NOTHING, 0, 0);
      this.connection.flushSoon();
    } else {
      this.block(stream, ending, true);
    }
    this.connection.streamEnded(stream);
  }
}
