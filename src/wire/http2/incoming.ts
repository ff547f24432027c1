import type { Connection } from './connection.ts';
import { CODE, ConnectionError, type ErrorCode, FLAG, FRAME, MAX_FRAME_BYTES, uint31 } from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { Guards, SETTINGS_COST } from './guards.ts';
import { wrongField } from './head.ts';
import { HeaderBlocks } from './header-block.ts';
import { DEFAULT_WINDOW, defaultSettings, MAX_WINDOW, readSettings } from './settings.ts';
import { Stream } from './stream.ts';

/** What the peer says, frame by frame, held against RFC 9113. */
export class Incoming implements FrameSink {
  settingsAcked = false;
  private readonly connection: Connection;
  private readonly reader = new FrameReader(MAX_FRAME_BYTES);
  private readonly blocks: HeaderBlocks;
  private readonly guards: Guards;
  private readonly peer = defaultSettings();
  private settingsSeen = false;
  /** Streams that were left out when the highest was opened: they are closed, and were never open (section 5.1.1). */
  private skippedFrom = 0;
  private skippedTo = 0;
  private receiveWindow: number;
  private consumed = 0;
  /** What the peer may send on a new stream; until it has acknowledged our SETTINGS it goes by the default. */
  private streamWindow: number;

  constructor(connection: Connection) {
    const { bounds } = connection;
    this.connection = connection;
    this.blocks = new HeaderBlocks(bounds);
    this.guards = new Guards(bounds);
    this.receiveWindow = Math.max(DEFAULT_WINDOW, bounds.connectionWindowBytes);
    this.streamWindow = Math.max(DEFAULT_WINDOW, bounds.streamWindowBytes);
  }

  get ended(): boolean {
    return this.connection.ended;
  }

  get partial(): boolean {
    return this.reader.partial;
  }

  get blockSinceMs(): number {
    return this.blocks.streamId === 0 ? 0 : this.blocks.sinceMs;
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
    if (this.blocks.streamId !== 0 && (type !== FRAME.continuation || id !== this.blocks.streamId)) {
      throw protocolError('a block of headers was interrupted');
    }
    if (!this.settingsSeen && type !== FRAME.settings) throw protocolError('the first frame is not SETTINGS');
    switch (type) {
      case FRAME.data:
        this.data(flags, id, bytes, start, end);
        break;
      case FRAME.headers:
        this.headers(flags, id, bytes, start, end);
        break;
      case FRAME.continuation:
        this.continuation(flags, id, bytes, start, end);
        break;
      case FRAME.windowUpdate:
        this.windowUpdate(id, bytes, start, end);
        break;
      case FRAME.rstStream:
        this.rstStream(id, start, end);
        break;
      case FRAME.settings:
        this.settings(flags, id, bytes, start, end);
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
      if (length === 0 || bytes[start]! >= length) throw protocolError('padding that is longer than its frame');
      from++;
      to -= bytes[start]!;
    }
    const ends = (flags & FLAG.endStream) !== 0;
    if (from === to && !ends) this.control(1);
    // Also for what is thrown away, and for padding: the connection's window is of all.
    this.consumed += length;
    const stream = this.connection.streams.get(id);
    if (stream === undefined) {
      this.onClosed(id, 'DATA');
      return;
    }
    if (stream.remoteEnded) {
      this.streamError(stream, CODE.streamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.streamError(stream, CODE.flowControlError);
      return;
    }
    if (stream.contentLeft !== -1) {
      stream.contentLeft -= to - from;
      if (stream.contentLeft < 0 || (ends && stream.contentLeft > 0)) {
        this.streamError(stream, CODE.protocolError);
        return;
      }
    }
    if (length > to - from) stream.consume(length - (to - from));
    if (ends) stream.remoteEnded = true;
    if (to > from) stream.events.data(bytes, from, to);
    if (ends && !stream.closed) stream.events.end();
  }

  private headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if ((id & 1) === 0) throw protocolError('HEADERS on a stream that is no client’s');
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      if (from === end || bytes[start]! >= end - start) throw protocolError('padding that is longer than its frame');
      to -= bytes[start]!;
      from++;
    }
    if (flags & FLAG.priority) {
      if (to - from < 5) throw protocolError('HEADERS without room for its priority');
      if (uint31(bytes, from) === id) throw protocolError('a stream that depends on itself');
      from += 5;
    }
    if ((flags & FLAG.endHeaders) === 0) {
      this.blocks.begin(id, flags, bytes, from, to, this.connection.readMs);
      return;
    }
    this.block(flags, id, bytes, from, to);
  }

  private continuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.blocks.streamId === 0) throw protocolError('CONTINUATION of nothing');
    this.blocks.add(bytes, start, end);
    if ((flags & FLAG.endHeaders) === 0) return;
    const first = this.blocks.flags;
    const block = this.blocks.whole();
    this.block(first, id, block, 0, block.length);
  }

  /** A whole block: a request, or trailers. It is read in any case, for the table's sake. */
  private block(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    const ends = (flags & FLAG.endStream) !== 0;
    const stream = connection.streams.get(id);
    if (stream !== undefined) {
      this.trailers(stream, ends, bytes, start, end);
      return;
    }
    if (id <= connection.highestId) {
      this.blocks.fields(bytes, start, end);
      if (id >= this.skippedFrom && id <= this.skippedTo) throw protocolError('a stream below the highest');
      this.onClosed(id, 'HEADERS');
      return;
    }
    const head = this.blocks.head(bytes, start, end);
    // A stream that our GOAWAY has refused: the peer will ask somebody else.
    if (id > connection.lastId) return;
    if (id > connection.highestId + 2) {
      this.skippedFrom = connection.highestId + 1;
      this.skippedTo = id - 1;
    }
    connection.highestId = id;
    if (typeof head === 'string') {
      this.guards.streamError(connection.readMs);
      connection.rst(id, CODE.protocolError);
      return;
    }
    // Who has not seen our SETTINGS cannot know; `load` bounds those.
    if (this.settingsAcked && connection.streams.size >= connection.bounds.maxConcurrentStreams) {
      this.control(1);
      connection.rst(id, CODE.refusedStream);
      return;
    }
    if (ends && head !== null && head.contentLength > 0) {
      this.guards.streamError(connection.readMs);
      connection.rst(id, CODE.protocolError);
      return;
    }
    this.guards.request();
    const contentLength = head === null ? -1 : head.contentLength;
    const opened = new Stream(connection, id, this.peer.initialWindowSize, this.streamWindow, contentLength);
    opened.remoteEnded = ends;
    connection.streams.set(id, opened);
    opened.events = connection.application.open(opened, head);
    if (ends && !opened.closed) opened.events.end();
  }

  private trailers(stream: Stream, ends: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.blocks.fields(bytes, start, end);
    if (stream.remoteEnded) this.streamError(stream, CODE.streamClosed);
    // Section 8.1: they end the stream. No pseudo-header may stand in them, and a colon is in no name.
    else if (!ends || fields === null || wrongField(fields) !== null || stream.contentLeft > 0) {
      this.streamError(stream, CODE.protocolError);
    } else {
      stream.remoteEnded = true;
      stream.events.end();
    }
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
      this.notIdle(id, 'WINDOW_UPDATE');
      return;
    }
    if (increment === 0) {
      this.streamError(stream, CODE.protocolError);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) this.streamError(stream, CODE.flowControlError);
    else sender.streamMayGo(stream);
  }

  private rstStream(id: number, start: number, end: number): void {
    if (end - start !== 4) throw frameSizeError('RST_STREAM');
    const { connection } = this;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      this.notIdle(id, 'RST_STREAM');
      this.control(1);
      return;
    }
    // A caller that gives up on a call that is being served is none of these: Envoy does so at every timeout.
    const rapid = stream.openedInRead === connection.reads || !stream.events.begun;
    connection.streamGone(stream);
    if (rapid) this.guards.rapidReset(connection.readMs);
  }

  private settings(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError('SETTINGS on a stream');
    if (flags & FLAG.ack) {
      if (end > start) throw frameSizeError('SETTINGS');
      if (!this.settingsSeen) throw protocolError('the first frame is not SETTINGS');
      if (this.settingsAcked) this.control(1);
      else this.acknowledged();
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError('SETTINGS');
    if (this.settingsSeen) this.control(SETTINGS_COST);
    this.settingsSeen = true;
    const { sender, streams } = this.connection;
    const { peer } = this;
    const before = peer.initialWindowSize;
    const hadTable = peer.headerTableSize;
    readSettings(bytes, start, end, peer);
    if (peer.headerTableSize < hadTable) sender.tableToEmpty = true;
    sender.maxFrameBytes = Math.min(peer.maxFrameSize, MAX_FRAME_BYTES);
    sender.out.header(0, FRAME.settings, FLAG.ack, 0);
    this.connection.flushSoon();
    const change = peer.initialWindowSize - before;
    if (change === 0) return;
    // Section 6.9.2: windows may become negative, and must not become too large.
    for (const stream of [...streams.values()]) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(CODE.flowControlError, 'a window above 2^31-1');
      if (change > 0) sender.streamMayGo(stream);
    }
  }

  /** From here on the peer goes by our settings. */
  private acknowledged(): void {
    this.settingsAcked = true;
    const less = this.streamWindow - this.connection.bounds.streamWindowBytes;
    if (less === 0) return;
    this.streamWindow -= less;
    for (const stream of this.connection.streams.values()) stream.receiveWindow -= less;
  }

  private ping(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw protocolError('PING on a stream');
    if (end - start !== 8) throw frameSizeError('PING');
    if (flags & FLAG.ack) {
      if (this.connection.life.drainingSinceMs > 0) this.connection.pingAcknowledged(bytes, start);
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
    const wrong = end - start !== 5 ? CODE.frameSizeError : uint31(bytes, start) === id ? CODE.protocolError : null;
    if (wrong === null) return;
    const stream = this.connection.streams.get(id);
    if (stream === undefined) throw new ConnectionError(wrong, 'a bad PRIORITY');
    this.streamError(stream, wrong);
  }

  private goaway(id: number, start: number, end: number): void {
    if (id !== 0) throw protocolError('GOAWAY on a stream');
    if (end - start < 8) throw frameSizeError('GOAWAY');
    this.connection.peerLeaves = true;
    this.connection.finishIfDone();
  }

  /** A frame for a stream that is not there: section 5.1, of idle and of closed ones. */
  private onClosed(id: number, what: string): void {
    this.notIdle(id, what);
    // Section 6.8: what was sent before our GOAWAY was seen is ignored.
    if (id <= this.connection.lastId && !this.connection.wasReset(id)) {
      throw new ConnectionError(CODE.streamClosed, `${what} on stream ${id}, which is closed`);
    }
  }

  private notIdle(id: number, what: string): void {
    const { highestId, lastId } = this.connection;
    if (id === 0 || (id > highestId && id <= lastId) || (id & 1) === 0) {
      throw protocolError(`${what} on stream ${id}, which is idle`);
    }
  }

  private streamError(stream: Stream, code: ErrorCode): void {
    this.connection.resetStream(stream, code);
    this.guards.streamError(this.connection.readMs);
  }

  private control(cost: number): void {
    this.guards.controlFrame(cost, this.connection.readMs);
  }
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(CODE.protocolError, message);
}

function frameSizeError(what: string): ConnectionError {
  return new ConnectionError(CODE.frameSizeError, `${what} of a wrong length`);
}
