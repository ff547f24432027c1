import type { Socket } from 'node:net';
import { equal } from '../hpack/path-cache.ts';
import type { Bounds, Refusal } from './bounds.ts';
import type { Flusher } from './flusher.ts';
import { CODE, ConnectionError, type ErrorCode, FRAME } from './frame.ts';
import { Guards } from './guards.ts';
import { Handshake } from './handshake.ts';
import type { Head } from './head.ts';
import { Incoming } from './incoming.ts';
import { Life } from './life.ts';
import { Sender } from './sender.ts';
import { MAX_WINDOW } from './settings.ts';
import type { Stream, StreamEvents } from './stream.ts';
import { Streams } from './streams.ts';

/** Who serves the requests of connections. */
export interface Application {
  /** A request has come; `head` is null when its header list was too long. Answer through the stream. */
  open(stream: Stream, head: Head | null): StreamEvents;
  /** The connection is no more, and neither are its streams. */
  closed(connection: Connection): void;
  /** The peer did what RFC 9113 or a bound forbids, and loses the connection; or the error is one of ours. */
  failed(connection: Connection, error: Error): void;
  /** A call was refused for a bound; the connection goes on. */
  refused(bound: Refusal): void;
}

/** Node would read 2 MB of one socket before it looks at another; after so many bytes the others go first. */
const MOST_IN_A_ROW_BYTES = 256 * 1024;
const MOST_DEBUG_BYTES = 200;
const DRAIN_PING = Buffer.from('draining', 'latin1');

/** Address and port of the other end, or what is known of it. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
}

/** The server's side of one HTTP/2 connection (RFC 9113): the socket, and what all streams share. */
export class Connection {
  readonly socket: Socket;
  readonly bounds: Bounds;
  readonly application: Application;
  readonly sender: Sender;
  readonly life: Life;
  readonly guards: Guards;
  readonly streams = new Streams();
  /** Which read of the socket this is, and when it began. */
  reads = 0;
  readMs = performance.now();
  /** Handlers that go on though their stream has gone. */
  orphans = 0;
  /** True: whatever comes is thrown away. */
  ended = false;
  /** The socket has not taken what it was given; nothing is read meanwhile. */
  backedUp = false;
  peerLeaves = false;
  /** What is kept of long header lists, and of messages that are not whole or that nobody has read yet. */
  bufferedBytes = 0;
  private readonly flusher: Flusher;
  private readonly handshake: Handshake;
  private readonly incoming: Incoming;
  private ready: { run(): void }[] = [];
  private toFlush = false;
  private inARowBytes = 0;

  constructor(socket: Socket, bounds: Bounds, application: Application, flusher: Flusher) {
    this.socket = socket;
    this.bounds = bounds;
    this.application = application;
    this.flusher = flusher;
    this.sender = new Sender(this);
    this.guards = new Guards(bounds);
    this.handshake = new Handshake(this);
    this.incoming = new Incoming(this);
    this.life = new Life(this);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    // A connection that breaks ends its calls, and nothing else.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.gone());
  }

  get peer(): string {
    return peerOf(this.socket);
  }

  /** Of a clock that nobody sets: only durations matter. */
  nowMs(): number {
    return performance.now();
  }

  /** Handlers and streams, for which the peer may have only so many. */
  get load(): number {
    return this.streams.size + this.orphans;
  }

  get prefaced(): boolean {
    return this.handshake.done;
  }

  get settled(): boolean {
    return this.incoming.settings.acked;
  }

  /** Since when a block of headers is not whole; 0 when none is begun. */
  get blockSinceMs(): number {
    return this.incoming.blockSinceMs;
  }

  /** Runs at the end of this read: what the peer takes back in the same read is never begun. */
  defer(work: { run(): void }): void {
    this.ready.push(work);
  }

  flushSoon(): void {
    if (this.toFlush) return;
    this.toFlush = true;
    this.flusher.add(this);
  }

  flush(): void {
    this.toFlush = false;
    const { out } = this.sender;
    const { socket } = this;
    if (out.length === 0 || !socket.writable) return;
    const { maxUnsentBytes } = this.bounds;
    // The event 'drain' is of a mark of the socket's own, which may be above ours.
    if (this.backedUp || socket.writableLength + out.length >= maxUnsentBytes) socket.write(out.take(), this.taken);
    else socket.write(out.take());
    // Most often the kernel has it all by now, and the buffer is free.
    if (socket.writableLength === 0) {
      out.giveBack();
      return;
    }
    out.letGo();
    if (this.backedUp || socket.writableLength < maxUnsentBytes) return;
    this.backedUp = true;
    this.life.backedUpMs = this.nowMs();
    if (!this.ended) socket.pause();
  }

  rst(streamId: number, code: ErrorCode): void {
    const { out } = this.sender;
    out.header(4, FRAME.rstStream, 0, streamId);
    out.uint32(code);
    this.flushSoon();
    this.streams.rememberReset(streamId);
  }

  resetStream(stream: Stream, code: ErrorCode): void {
    this.rst(stream.id, code);
    this.close(stream);
    stream.events.reset();
  }

  /** The peer has made an error that ends it (section 5.4.2). */
  streamError(stream: Stream, code: ErrorCode): void {
    this.resetStream(stream, code);
    this.guards.streamError(this.readMs);
  }

  /** The peer has reset it. */
  streamGone(stream: Stream): void {
    this.close(stream);
    stream.events.reset();
  }

  /** Our side of it has ended. A peer that still sends is told that nobody listens (section 8.1). */
  streamEnded(stream: Stream): void {
    if (!stream.remoteEnded) this.rst(stream.id, CODE.noError);
    this.close(stream);
  }

  private close(stream: Stream): void {
    stream.closed = true;
    if (stream.queue !== null) this.sender.forget(stream);
    this.streams.delete(stream.id);
    if (this.streams.size > 0) return;
    this.life.idleSinceMs = this.readMs;
    this.finishIfDone();
  }

  /** GOAWAY in two steps (section 6.8): calls that are on their way are still answered. */
  drain(): void {
    if (this.ended || this.life.drainingSinceMs > 0) return;
    this.life.drainingSinceMs = this.nowMs();
    // The first calls of a peer that has not been heard yet may be on their way too.
    if (this.prefaced) this.askToGo();
  }

  private askToGo(): void {
    this.goaway(MAX_WINDOW, CODE.noError, '');
    this.sender.out.header(8, FRAME.ping, 0, 0);
    this.sender.out.raw(DRAIN_PING, 0, 8);
    this.flushSoon();
  }

  /** An answer to another PING says nothing of what the peer has seen. */
  pingAnswered(bytes: Buffer, start: number, end: number): void {
    if (this.life.drainingSinceMs > 0 && equal(DRAIN_PING, bytes, start, end)) this.drainEnds();
  }

  /** The second step: the peer has seen the first, or has had time to. */
  drainEnds(): void {
    const { streams } = this;
    if (!this.prefaced) {
      this.socket.destroy();
      return;
    }
    if (this.ended || streams.saidLast) return;
    streams.noMore();
    this.goaway(streams.lastId, CODE.noError, '');
    this.finishIfDone();
  }

  finishIfDone(): void {
    if (this.streams.size === 0 && (this.streams.saidLast || this.peerLeaves)) this.finish();
  }

  /** GOAWAY with an error, and the socket is really closed. */
  fail(error: Error): void {
    if (this.ended) return;
    const code = error instanceof ConnectionError ? error.code : CODE.internalError;
    if (this.prefaced) this.goaway(this.streams.highestId, code, error instanceof ConnectionError ? error.message : '');
    this.application.failed(this, error);
    this.finish();
    this.dropStreams();
  }

  /** Ends it without a word: its peer takes none, or has had its time. */
  cut(error: ConnectionError): void {
    this.application.failed(this, error);
    this.socket.destroy();
  }

  private goaway(lastId: number, code: ErrorCode, message: string): void {
    const { out } = this.sender;
    const debug = Buffer.from(message.slice(0, MOST_DEBUG_BYTES), 'latin1');
    out.header(8 + debug.length, FRAME.goaway, 0, 0);
    out.uint32(lastId);
    out.uint32(code);
    out.raw(debug, 0, debug.length);
    this.flushSoon();
  }

  /** Says what is left to be said and ends our side; `life` cuts a peer that does not end its own. */
  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.life.endedMs = this.nowMs();
    this.flush();
    this.socket.end();
    this.socket.resume();
  }

  private read(chunk: Buffer): void {
    if (this.ended) return;
    this.reads++;
    this.readMs = this.nowMs();
    this.life.pingedMs = 0;
    try {
      const from = this.prefaced ? 0 : this.begin(chunk);
      if (from < chunk.length) this.incoming.read(chunk, from);
    } catch (error) {
      this.fail(error as Error);
    }
    this.inARowBytes += chunk.length;
    if (this.inARowBytes >= MOST_IN_A_ROW_BYTES) this.rest();
    const { ready } = this;
    if (ready.length === 0) return;
    this.ready = [];
    for (const work of ready) work.run();
  }

  /** Where the frames begin. */
  private begin(chunk: Buffer): number {
    const from = this.handshake.read(chunk);
    if (this.prefaced && this.life.drainingSinceMs > 0) this.askToGo();
    return from;
  }

  /** Reads nothing more in this turn of the event loop. */
  private rest(): void {
    this.inARowBytes = 0;
    if (this.ended || this.backedUp) return;
    this.socket.pause();
    setImmediate(() => {
      if (!this.backedUp) this.socket.resume();
    });
  }

  /** The socket has taken what it was given. */
  private readonly taken = (): void => {
    if (!this.backedUp || this.socket.writableLength > 0) return;
    this.backedUp = false;
    this.socket.resume();
    this.sender.connectionMayGo();
  };

  private gone(): void {
    this.ended = true;
    this.ready = [];
    this.dropStreams();
    this.application.closed(this);
  }

  private dropStreams(): void {
    for (const stream of [...this.streams.values()]) this.streamGone(stream);
  }
}
