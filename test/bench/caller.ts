import { connect, type Socket } from 'node:net';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { FLAG, FRAME, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE, uint31 } from '../../src/wire/http2/frame.ts';
import { FrameReader, type FrameSink } from '../../src/wire/http2/frame-reader.ts';
import { PATH } from './load.ts';
import type { Messages } from './peers/scenario.ts';

/** Who is told how calls end; all times are microseconds of `nowUs`. */
export interface CallEvents {
  /** Once for every call. `good`: it got the answer that was expected. */
  ended(caller: Caller, dueUs: number, good: boolean, nowUs: number): void;
  /** All that came in one read has been told. */
  read(caller: Caller): void;
  broken(error: Error): void;
}

/** The frames of a call with the ids of streams left open, so that sending is copying. */
const OUT_BYTES = 128 * 1024;
const FLUSH_AT = OUT_BYTES - 4_096;
/** Streams of one connection that may be open, as a mask. */
const SLOTS = 0xffff;
const WINDOW = 0x7fff_ffff;
const START_WINDOW = 65_535;
const INITIAL_WINDOW_SIZE = 4;
/** Where overall_code stands in DATA: after the prefix of gRPC and its own tag. */
const CODE_TAG = 0x08;
const GRPC_PREFIX = 5;

export const nowUs = (): number => performance.now() * 1_000;

/** A connection that says what Envoy's would, and measures calls from the moment when they were due. */
export class Caller implements FrameSink {
  readonly ended = false;
  inFlight = 0;
  readonly #socket: Socket;
  readonly #messages: Messages;
  readonly #code: number;
  readonly #events: CallEvents;
  readonly #reader = new FrameReader(MAX_FRAME_BYTES);
  readonly #due = new Float64Array(SLOTS + 1);
  readonly #good = new Uint8Array(SLOTS + 1);
  readonly #laterBlock: Buffer;
  #block: Buffer;
  #out = Buffer.allocUnsafeSlow(OUT_BYTES);
  #at = 0;
  #nextId = 1;
  #sendWindow = START_WINDOW;
  #received = 0;
  #readUs = 0;
  /** User and due time of calls in turn that the peer's window keeps back. */
  #waiting: number[] = [];
  #closed = false;

  static async dial(port: number, messages: Messages, code: number, events: CallEvents): Promise<Caller> {
    const caller = new Caller(port, messages, code, events);
    await new Promise<void>((resolve, reject) => {
      caller.#socket.once('connect', resolve);
      caller.#socket.once('error', reject);
    });
    return caller;
  }

  private constructor(port: number, messages: Messages, code: number, events: CallEvents) {
    this.#messages = messages;
    this.#code = code;
    this.#events = events;
    const { first, later } = blocks(`127.0.0.1:${port}`);
    this.#block = first;
    this.#laterBlock = later;
    const onread = {
      buffer: Buffer.alloc(256 * 1024),
      callback: (bytes: number, buffer: Uint8Array) => this.#read(buffer.subarray(0, bytes) as Buffer),
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    this.#socket.on('error', (error) => this.#break(error));
    this.#socket.on('close', () => this.#break(new Error('the service closed a connection')));
    this.#greet();
  }

  send(user: number, dueUs: number): void {
    this.inFlight++;
    if (this.#sendWindow < this.#messages.bytes) this.#waiting.push(user, dueUs);
    else this.#put(user, dueUs);
  }

  flush(): void {
    if (this.#at === 0) return;
    this.#socket.write(this.#out.subarray(0, this.#at));
    this.#at = 0;
    if (this.#socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(OUT_BYTES);
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #put(user: number, dueUs: number): void {
    const id = this.#nextId;
    this.#nextId += 2;
    const slot = (id >>> 1) & SLOTS;
    this.#due[slot] = dueUs;
    this.#good[slot] = 0;
    const block = this.#block;
    this.#header(block.length, FRAME.headers, FLAG.endHeaders, id);
    this.#out.set(block, this.#at);
    this.#at += block.length;
    this.#block = this.#laterBlock;
    const { bytes } = this.#messages;
    this.#header(bytes, FRAME.data, FLAG.endStream, id);
    this.#messages.write(this.#out, this.#at, user);
    this.#at += bytes;
    this.#sendWindow -= bytes;
    if (this.#at > FLUSH_AT) this.flush();
  }

  #read(chunk: Buffer): boolean {
    this.#readUs = nowUs();
    try {
      this.#reader.read(chunk, 0, this);
    } catch (error) {
      this.#break(error as Error);
    }
    this.#events.read(this);
    this.flush();
    return true;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (type === FRAME.data) this.#data(flags, id, bytes, start, end);
    else if (type === FRAME.headers) {
      if (flags & FLAG.endStream) this.#end(id, this.#good[(id >>> 1) & SLOTS] === 1);
    } else if (type === FRAME.windowUpdate) {
      if (id !== 0) return;
      this.#sendWindow += uint31(bytes, start);
      this.#sendWaiting();
    } else if (type === FRAME.settings) this.#settings(flags, bytes, start, end);
    else if (type === FRAME.ping) {
      if (flags & FLAG.ack) return;
      this.#header(8, FRAME.ping, FLAG.ack, 0);
      this.#raw(bytes.subarray(start, end));
    } else if (type === FRAME.rstStream) this.#end(id, false);
    else if (type === FRAME.goaway) this.#break(new Error('the service sent GOAWAY'));
    else throw new Error(`a frame of type ${type}`);
  }

  #data(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.#received += end - start;
    if (this.#received > WINDOW / 2) {
      this.#header(4, FRAME.windowUpdate, 0, 0);
      this.#raw(uint32(this.#received));
      this.#received = 0;
    }
    const code = start + GRPC_PREFIX;
    if (end > code + 1 && bytes[code] === CODE_TAG && bytes[code + 1] === this.#code) {
      this.#good[(id >>> 1) & SLOTS] = 1;
    }
    // A call of gRPC ends with trailers.
    if (flags & FLAG.endStream) this.#end(id, false);
  }

  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    if (flags & FLAG.ack) return;
    for (let at = start; at < end; at += 6) {
      const window = bytes.readUInt32BE(at + 2);
      if (bytes.readUInt16BE(at) === INITIAL_WINDOW_SIZE && window < this.#messages.bytes) {
        throw new Error(`a window of ${window} bytes for a stream`);
      }
    }
    this.#header(0, FRAME.settings, FLAG.ack, 0);
  }

  #sendWaiting(): void {
    const { bytes } = this.#messages;
    let sent = 0;
    for (; sent < this.#waiting.length && this.#sendWindow >= bytes; sent += 2) {
      this.#put(this.#waiting[sent]!, this.#waiting[sent + 1]!);
    }
    if (sent > 0) this.#waiting.splice(0, sent);
  }

  #end(id: number, good: boolean): void {
    this.inFlight--;
    this.#events.ended(this, this.#due[(id >>> 1) & SLOTS]!, good, this.#readUs);
  }

  #break(error: Error): void {
    if (this.#closed) return;
    this.close();
    this.#events.broken(error);
  }

  #greet(): void {
    this.#raw(PREFACE);
    this.#header(6, FRAME.settings, 0, 0);
    this.#raw(Buffer.of(0, INITIAL_WINDOW_SIZE));
    this.#raw(uint32(WINDOW));
    this.#header(4, FRAME.windowUpdate, 0, 0);
    this.#raw(uint32(WINDOW - START_WINDOW));
    this.flush();
  }

  #header(length: number, type: number, flags: number, id: number): void {
    const out = this.#out;
    const at = this.#at;
    out[at] = length >>> 16;
    out[at + 1] = length >>> 8;
    out[at + 2] = length;
    out[at + 3] = type;
    out[at + 4] = flags;
    out[at + 5] = id >>> 24;
    out[at + 6] = id >>> 16;
    out[at + 7] = id >>> 8;
    out[at + 8] = id;
    this.#at = at + FRAME_HEADER_BYTES;
  }

  #raw(bytes: Uint8Array): void {
    this.#out.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** As Envoy has them: the path is spelled out on every call, and what else stays the same is in the table after the first. */
function blocks(authority: string): { readonly first: Buffer; readonly later: Buffer } {
  const always = encodeBlock([':method', 'POST', ':path', PATH, ':scheme', 'http']);
  const kept = [
    [':authority', authority],
    ['te', 'trailers'],
    ['grpc-timeout', '10000m'],
    ['content-type', 'application/grpc'],
    ['x-envoy-internal', 'true'],
    ['x-forwarded-for', '127.0.0.1'],
    ['x-envoy-expected-rq-timeout-ms', '10000'],
  ] as const;
  const literals = kept.flatMap(([name, value]) => [
    Buffer.of(0x40, name.length),
    Buffer.from(name),
    Buffer.of(value.length),
    Buffer.from(value),
  ]);
  // The dynamic table begins at 62 with what was added last: RFC 7541, section 2.3.3.
  const indexes = Buffer.from(kept.map((_, i) => 0x80 | (61 + kept.length - i)));
  return { first: Buffer.concat([always, ...literals]), later: Buffer.concat([always, indexes]) };
}
