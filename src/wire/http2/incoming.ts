import type { Connection } from './connection.ts';
import {
  CODE,
  ConnectionError,
  FLAG,
  FRAME,
  frameSizeError,
  MAX_FRAME_BYTES,
  PRIORITY_BYTES,
  protocolError,
  uint31,
} from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { Requests } from './requests.ts';
import { DEFAULT_WINDOW, MAX_WINDOW } from './settings.ts';
import { SettingsExchange } from './settings-exchange.ts';

/** What the peer says, frame by frame, held against RFC 9113. */
export class Incoming implements FrameSink {
  readonly settings: SettingsExchange;
  private readonly connection: Connection;
  private readonly reader = new FrameReader(MAX_FRAME_BYTES);
  private readonly requests: Requests;
  /** What the peer may send on all streams together, and what of it we have not given back yet. */
  private receiveWindow: number;
  private consumed = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    this.settings = new SettingsExchange(connection);
    this.requests = new Requests(connection, this.settings);
    this.receiveWindow = Math.max(DEFAULT_WINDOW, connection.bounds.connectionWindowBytes);
  }

  get ended(): boolean {
    return this.connection.ended;
  }

  get blockSinceMs(): number {
    return this.requests.blockSinceMs;
  }

  read(chunk: Buffer, from: number): void {
    this.reader.read(chunk, from, this);
    // In batches, and not before the peer may have waited for it.
    if (this.consumed * 2 < this.connection.bounds.connectionWindowBytes) return;
    this.connection.sender.windowUpdate(0, this.consumed);
    this.receiveWindow += this.consumed;
    this.consumed = 0;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { openBlock } = this.requests;
    if (openBlock !== 0 && (type !== FRAME.continuation || id !== openBlock)) {
      throw protocolError('a block of headers was interrupted');
    }
    if (!this.settings.seen && type !== FRAME.settings) throw protocolError('the first frame is not SETTINGS');
    switch (type) {
      case FRAME.data:
        this.data(flags, id, bytes, start, end);
        break;
      case FRAME.headers:
        this.requests.headers(flags, id, bytes, start, end);
        break;
      case FRAME.continuation:
        this.requests.continuation(flags, id, bytes, start, end);
        break;
      case FRAME.windowUpdate:
        this.windowUpdate(id, bytes, start, end);
        break;
      case FRAME.rstStream:
        this.rstStream(id, start, end);
        break;
      case FRAME.settings:
        this.settings.frame(flags, id, bytes, start, end);
        break;
      case FRAME.ping:
        this.ping(flags, id, bytes, start, end);
        break;
      case FRAME.priority:
        this.priority(id, bytes, start, end);
        break;
      case FRAME.goaway:
        this.goaway(id, start, end);
        break;
      case FRAME.pushPromise:
        throw protocolError('PUSH_PROMISE from a client');
      default:
        // Section 4.1: what nobody knows is nothing to us.
        this.control(1);
    }
  }

  private data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError('DATA on stream 0');
    const length = end - start;
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) throw new ConnectionError(CODE.flowControlError, 'DATA beyond the window');
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      if (length === 0) throw frameSizeError('DATA');
      if (bytes[start]! >= length) throw protocolError('padding that is longer than its frame');
      from++;
      to -= bytes[start]!;
    }
    const ends = (flags & FLAG.endStream) !== 0;
    if (from === to && !ends) this.control(1);
    // Also for what is thrown away, and for padding: the connection's window is of all.
    this.consumed += length;
    const stream = this.connection.streams.get(id);
    if (stream === undefined) {
      this.connection.streams.closed(id, 'DATA');
      return;
    }
    if (stream.remoteEnded) {
      this.connection.streamError(stream, CODE.streamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.connection.streamError(stream, CODE.flowControlError);
      return;
    }
    if (stream.contentLeft !== -1) {
      stream.contentLeft -= to - from;
      if (stream.contentLeft < 0 || (ends && stream.contentLeft > 0)) {
        this.connection.streamError(stream, CODE.protocolError);
        return;
      }
    }
    if (length > to - from) stream.consume(length - (to - from));
    if (ends) stream.remoteEnded = true;
    if (to > from) stream.events.data(bytes, from, to);
    if (ends && !stream.closed) stream.events.end();
  }

  private windowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError('WINDOW_UPDATE');
    this.control(1);
    const increment = uint31(bytes, start);
    const { sender, streams } = this.connection;
    if (id === 0) {
      if (increment === 0) throw protocolError('a WINDOW_UPDATE of 0');
      sender.window += increment;
      if (sender.window > MAX_WINDOW) throw new ConnectionError(CODE.flowControlError, 'a window above 2^31-1');
      sender.connectionMayGo();
      return;
    }
    const stream = streams.get(id);
    if (stream === undefined) {
      streams.notIdle(id, 'WINDOW_UPDATE');
      return;
    }
    if (increment === 0) {
      this.connection.streamError(stream, CODE.protocolError);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) this.connection.streamError(stream, CODE.flowControlError);
    else sender.streamMayGo(stream);
  }

  private rstStream(id: number, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError('RST_STREAM');
    const { connection } = this;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      connection.streams.notIdle(id, 'RST_STREAM');
      this.control(1);
      return;
    }
    // A caller that gives up on a call that is being served is none of these: Envoy does so at every timeout.
    const rapid = stream.openedInRead === connection.reads || !stream.events.begun;
    connection.streamGone(stream);
    if (rapid) connection.guards.rapidReset(connection.readMs);
  }

  private ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError('PING on a stream');
    if (end - start !== 8) throw frameSizeError('PING');
    if (flags & FLAG.ack) {
      this.connection.pingAnswered(bytes, start, end);
      this.control(1);
      return;
    }
    this.control(1);
    const { out } = this.connection.sender;
    out.header(8, FRAME.ping, FLAG.ack, 0);
    out.raw(bytes, start, end);
    this.connection.flushSoon();
  }

  /** RFC 9113 deprecates it, and still says when it is an error. */
  private priority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw protocolError('PRIORITY on stream 0');
    this.control(1);
    const wrong =
      end - start !== PRIORITY_BYTES ? CODE.frameSizeError : uint31(bytes, start) === id ? CODE.protocolError : null;
    if (wrong === null) return;
    const stream = this.connection.streams.get(id);
    if (stream === undefined) throw new ConnectionError(wrong, 'a bad PRIORITY');
    this.connection.streamError(stream, wrong);
  }

  private goaway(id: number, start: number, end: number): void {
    if (id !== 0) throw protocolError('GOAWAY on a stream');
    if (end - start < 8) throw frameSizeError('GOAWAY');
    this.control(1);
    this.connection.peerLeaves = true;
    this.connection.finishIfDone();
  }

  private control(cost: number): void {
    this.connection.guards.controlFrame(cost, this.connection.readMs);
  }
}
