import type { Socket } from 'node:net';
import type { Bounds } from './bounds.ts';
import type { Flusher } from './flusher.ts';
import { CODE, ConnectionError, type ErrorCode, FRAME, PREFACE } from './frame.ts';
import type { Head } from './head.ts';
import { Incoming } from './incoming.ts';
import { Life } from './life.ts';
import { Sender } from './sender.ts';
import { DEFAULT_WINDOW, MAX_WINDOW, SETTING } from './settings.ts';
import type { Stream, StreamEvents } from './stream.ts';

/** Who serves the requests of connections. */
export interface Application {
  /** A request has come; `head` is null when its header list was too long. Answer through the stream. */
  open(stream: Stream, head: Head | null): StreamEvents;
  /** The connection is no more, and neither are its streams. */
  closed(connection: Connection): void;
  /** The peer did what RFC 9113 or a bound forbids, and loses the connection; or the error is one of ours. */
  failed(connection: Connection, error: Error): void;
}

/** How many of the streams that we have reset may still get what the peer sent before it knew. */
const MOST_REMEMBERED_RESETS = 4_096;
const MOST_DEBUG_BYTES = 200;
const DRAIN_PING = Buffer.from('draining', 'latin1');

const HTTP_1 = /^[A-Z]+ \S+ HTTP\/1\.\d\r?\n/;
const MOST_REQUEST_LINE = 8_192;
const NOT_HTTP_2 = 'This port speaks HTTP/2 only.\n';
const VERSION_NOT_SUPPORTED =
  'HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-type: text/plain\r\n' +
  `content-length: ${NOT_HTTP_2.length}\r\n\r\n${NOT_HTTP_2}`;

/** The server's side of one HTTP/2 connection (RFC 9113): the socket, and what all streams share. */
export class Connection {
  readonly socket: Socket;
  readonly bounds: Bounds;
  readonly application: Application;
  readonly sender: Sender;
  readonly life: Life;
  readonly streams = new Map<number, Stream>();
  /** Which read of the socket this is, and when it began. */
  reads = 0;
  readMs = Date.now();
  /** Handlers that go on though their stream has gone. */
  orphans = 0;
  /** True: whatever comes is thrown away. */
  ended = false;
  /** The socket has not taken what it was given; nothing is read meanwhile. */
  backedUp = false;
  /** The highest stream that the peer has opened; beyond `lastId` our GOAWAY has said that it may not. */
  highestId = 0;
  lastId = MAX_WINDOW;
  peerLeaves = false;
  /** What is kept of messages that are not whole, or that nobody has read yet. */
  bufferedBytes = 0;
  private readonly flusher: Flusher;
  private readonly incoming: Incoming;
  private readonly resets = new Set<number>();
  private ready: { run(): void }[] = [];
  private prefaceBytes = 0;
  private toFlush = false;

  constructor(socket: Socket, bounds: Bounds, application: Application, flusher: Flusher) {
    this.socket = socket;
    this.bounds = bounds;
    this.application = application;
    this.flusher = flusher;
    this.sender = new Sender(this);
    this.incoming = new Incoming(this);
    this.life = new Life(this);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('drain', () => this.drained());
    // A connection that breaks ends its calls, and nothing else.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.gone());
  }

  /** Who is at the other end: address and port, or what is known of it. */
  get peer(): string {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }

  nowMs(): number {
    return Date.now();
  }

  /** Handlers and streams, for which the peer may have only so many. */
  get load(): number {
    return this.streams.size + this.orphans;
  }

  get prefaced(): boolean {
    return this.prefaceBytes === PREFACE.length;
  }

  get settled(): boolean {
    return this.incoming.settingsAcked;
  }

  /** Since when a block of headers is not whole; 0 when none is begun. */
  get blockSinceMs(): number {
    return this.incoming.blockSinceMs;
  }

  get partial(): boolean {
    return this.incoming.partial;
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
    socket.write(out.take());
    // Most often the kernel has it all by now, and the buffer is free.
    if (socket.writableLength === 0) {
      out.giveBack();
      return;
    }
    out.letGo();
    if (this.backedUp || socket.writableLength < this.bounds.maxUnsentBytes) return;
    this.backedUp = true;
    this.life.backedUpMs = this.nowMs();
    if (!this.ended) socket.pause();
  }

  rst(streamId: number, code: ErrorCode): void {
    const { out } = this.sender;
    out.header(4, FRAME.rstStream, 0, streamId);
    out.uint32(code);
    this.flushSoon();
    this.resets.add(streamId);
    if (this.resets.size > MOST_REMEMBERED_RESETS)
      for (const oldest of this.resets) return void this.resets.delete(oldest);
  }

  /** True for a stream that we have reset not long ago: what still comes for it is no error (section 5.1). */
  wasReset(streamId: number): boolean {
    return this.resets.has(streamId);
  }

  resetStream(stream: Stream, code: ErrorCode): void {
    this.rst(stream.id, code);
    this.close(stream);
    stream.events.reset();
  }

  /** The peer has reset it. */
  streamGone(stream: Stream): void {
    this.close(stream);
    stream.events.reset();
  }

  /** Our side of it has ended. A peer that still sends is told that nobody listens (section 8.1). */
  streamEnded(stream: Stream): void {
    stream.localEnded = true;
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

  /** The PING of another time says nothing of the GOAWAY. */
  pingAcknowledged(bytes: Buffer, start: number): void {
    if (bytes.compare(DRAIN_PING, 0, DRAIN_PING.length, start, start + DRAIN_PING.length) === 0) this.drainEnds();
  }

  /** The second step: the peer has seen the first, or has had time to. */
  drainEnds(): void {
    if (!this.prefaced) {
      this.socket.destroy();
      return;
    }
    if (this.ended || this.lastId !== MAX_WINDOW) return;
    this.lastId = this.highestId;
    this.goaway(this.lastId, CODE.noError, '');
    this.finishIfDone();
  }

  finishIfDone(): void {
    if (this.streams.size === 0 && (this.lastId !== MAX_WINDOW || this.peerLeaves)) this.finish();
  }

  /** GOAWAY with an error, and the socket is really closed. */
  fail(error: Error): void {
    if (this.ended) return;
    const code = error instanceof ConnectionError ? error.code : CODE.internalError;
    if (this.prefaced) this.goaway(this.highestId, code, error instanceof ConnectionError ? error.message : '');
    this.application.failed(this, error);
    this.finish();
    this.dropStreams();
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
      const from = this.prefaced ? 0 : this.preface(chunk);
      if (from < chunk.length) this.incoming.read(chunk, from);
    } catch (error) {
      this.fail(error as Error);
    }
    const { ready } = this;
    if (ready.length === 0) return;
    this.ready = [];
    for (const work of ready) work.run();
  }

  /** Section 3.4. Where the preface ends in the chunk; nothing of ours is sent before the peer has spoken. */
  private preface(chunk: Buffer): number {
    let at = 0;
    for (; at < chunk.length && this.prefaceBytes < PREFACE.length; at++) {
      if (chunk[at] === PREFACE[this.prefaceBytes]) {
        this.prefaceBytes++;
        continue;
      }
      if (this.prefaceBytes <= 4 && HTTP_1.test(chunk.toString('latin1', 0, MOST_REQUEST_LINE))) {
        this.socket.write(VERSION_NOT_SUPPORTED);
      }
      throw new ConnectionError(CODE.protocolError, 'no preface of HTTP/2');
    }
    if (!this.prefaced) return at;
    this.greet();
    if (this.life.drainingSinceMs > 0) this.askToGo();
    return at;
  }

  private greet(): void {
    const { out } = this.sender;
    const { bounds } = this;
    const settings = [
      [SETTING.maxConcurrentStreams, bounds.maxConcurrentStreams],
      [SETTING.initialWindowSize, bounds.streamWindowBytes],
      [SETTING.maxHeaderListSize, bounds.maxHeaderListBytes],
    ] as const;
    out.header(settings.length * 6, FRAME.settings, 0, 0);
    for (const [id, value] of settings) {
      out.uint16(id);
      out.uint32(value);
    }
    const more = bounds.connectionWindowBytes - DEFAULT_WINDOW;
    if (more > 0) this.sender.windowUpdate(0, more);
    this.flushSoon();
  }

  private drained(): void {
    if (!this.backedUp) return;
    this.backedUp = false;
    this.socket.resume();
    this.sender.connectionMayGo();
  }

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
