import type { Connection } from './connection.ts';
import { CODE, FLAG, frameSizeError, PRIORITY_BYTES, protocolError, uint31 } from './frame.ts';
import { type Head, wrongField } from './head.ts';
import { HeaderBlocks } from './header-block.ts';
import type { SettingsExchange } from './settings-exchange.ts';
import { Stream } from './stream.ts';

/** Blocks of headers as they come, and the streams that they open or end (RFC 9113, sections 6.2, 6.10 and 8.1). */
export class Requests {
  private readonly connection: Connection;
  private readonly settings: SettingsExchange;
  private readonly blocks: HeaderBlocks;

  constructor(connection: Connection, settings: SettingsExchange) {
    this.connection = connection;
    this.settings = settings;
    this.blocks = new HeaderBlocks(connection.bounds);
  }

  /** Of the block that is not whole; 0 when none is begun. */
  get openBlock(): number {
    return this.blocks.streamId;
  }

  get blockSinceMs(): number {
    return this.blocks.streamId === 0 ? 0 : this.blocks.sinceMs;
  }

  headers(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if ((id & 1) === 0) throw protocolError('HEADERS on a stream that is no client’s');
    const padded = flags & FLAG.padded ? 1 : 0;
    const from = start + padded + (flags & FLAG.priority ? PRIORITY_BYTES : 0);
    if (from > end) throw frameSizeError('HEADERS');
    const to = padded === 0 ? end : end - bytes[start]!;
    if (from > to) throw protocolError('padding that is longer than its frame');
    if (flags & FLAG.priority && uint31(bytes, from - PRIORITY_BYTES) === id) {
      throw protocolError('a stream that depends on itself');
    }
    if ((flags & FLAG.endHeaders) === 0) {
      this.blocks.begin(id, flags, bytes, from, to, this.connection.readMs);
      return;
    }
    this.block(flags, id, bytes, from, to);
  }

  continuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.blocks.streamId === 0) throw protocolError('CONTINUATION of nothing');
    this.blocks.add(bytes, start, end);
    if ((flags & FLAG.endHeaders) === 0) return;
    const first = this.blocks.flags;
    const block = this.blocks.whole();
    this.block(first, id, block, 0, block.length);
  }

  /** A whole block: a request, or trailers. It is read in any case, for the table's sake. */
  private block(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { streams, guards, readMs } = this.connection;
    const ends = (flags & FLAG.endStream) !== 0;
    const stream = streams.get(id);
    if (stream !== undefined) {
      this.trailers(stream, ends, bytes, start, end);
      return;
    }
    if (id <= streams.highestId) {
      this.blocks.fields(bytes, start, end);
      if (streams.wasSkipped(id)) throw protocolError('a stream below the highest');
      streams.closed(id, 'HEADERS');
      guards.controlFrame(1, readMs);
      return;
    }
    const head = this.blocks.head(bytes, start, end);
    // A stream that our GOAWAY has refused: the peer will ask somebody else.
    if (id > streams.lastId) return;
    streams.opened(id);
    this.request(head, id, ends);
  }

  private request(head: Head | string | null, id: number, ends: boolean): void {
    const { connection } = this;
    const { streams, guards, readMs, bounds } = connection;
    if (typeof head === 'string') {
      guards.streamError(readMs);
      connection.rst(id, CODE.protocolError);
      return;
    }
    // Who has not seen our SETTINGS cannot know; `load` bounds those.
    if (this.settings.acked && streams.size >= bounds.maxConcurrentStreams) {
      guards.controlFrame(1, readMs);
      connection.application.refused('max_streams');
      connection.rst(id, CODE.refusedStream);
      return;
    }
    if (ends && head !== null && head.contentLength > 0) {
      guards.streamError(readMs);
      connection.rst(id, CODE.protocolError);
      return;
    }
    guards.request();
    const { sendWindow, receiveWindow } = this.settings;
    const stream = new Stream(connection, id, sendWindow, receiveWindow, head === null ? -1 : head.contentLength);
    stream.remoteEnded = ends;
    streams.set(id, stream);
    stream.events = connection.application.open(stream, head);
    if (connection.life.old) connection.life.tooOld(readMs);
    if (ends && !stream.closed) stream.events.end();
  }

  private trailers(stream: Stream, ends: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.blocks.fields(bytes, start, end);
    if (stream.remoteEnded) this.connection.streamError(stream, CODE.streamClosed);
    // Section 8.1: they end the stream. No pseudo-header may stand in them, and a colon is in no name.
    else if (!ends || fields === null || wrongField(fields) !== null || stream.contentLeft > 0) {
      this.connection.streamError(stream, CODE.protocolError);
    } else {
      stream.remoteEnded = true;
      stream.events.end();
    }
  }
}
