import { connect, type Socket } from 'node:net';
import { Decoder } from '../../src/wire/hpack/decoder.ts';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { FLAG, FRAME, PREFACE, uint31 } from '../../src/wire/http2/frame.ts';
import { eventually } from '../support/eventually.ts';

/** A client of the tests that says byte for byte what it is told to, and keeps what it hears. */
export interface Peer {
  readonly socket: Socket;
  /** Everything heard so far, in order. */
  readonly heard: readonly Heard[];
  readonly bytesHeard: number;
  send(...pieces: readonly Uint8Array[]): void;
  /** The first frame of this kind that was not returned yet, as soon as it is there. */
  next(type: number, id?: number): Promise<Heard>;
  /** Header fields and body of a stream, once it has ended or was reset. */
  answer(id: number): Promise<Answer>;
  /** The code of the GOAWAY before the close, or null when there was none; waits for the close. */
  farewell(): Promise<number | null>;
  closed(): boolean;
  close(): void;
}

export interface Heard {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export interface Answer {
  /** Headers and trailers together. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The code of RST_STREAM where that came before the end, else null. */
  readonly reset: number | null;
}

const EMPTY = Buffer.alloc(0);
export const SETTINGS = frame(FRAME.settings, 0, 0);
export const SETTINGS_ACK = frame(FRAME.settings, FLAG.ack, 0);
export const GREETING = Buffer.concat([PREFACE, SETTINGS, SETTINGS_ACK]);
export const PING = frame(FRAME.ping, 0, 0, Buffer.alloc(8));

export function frame(type: number, flags: number, id: number, payload: Uint8Array = EMPTY): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) => Buffer.concat([Buffer.of(0, id), uint32(value)]));
  return frame(FRAME.settings, 0, 0, Buffer.concat(payload));
}

export const windowUpdate = (id: number, more: number): Buffer => frame(FRAME.windowUpdate, 0, id, uint32(more));
export const reset = (id: number, code: number): Buffer => frame(FRAME.rstStream, 0, id, uint32(code));

export function headers(id: number, fields: readonly string[], end = false): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders | (end ? FLAG.endStream : 0), id, encodeBlock(fields));
}

export function data(id: number, body: Uint8Array, end = false): Buffer {
  return frame(FRAME.data, end ? FLAG.endStream : 0, id, body);
}

/** A length-prefixed message of gRPC. */
export function message(bytes: Uint8Array, flag = 0): Buffer {
  return Buffer.concat([Buffer.of(flag), uint32(bytes.length), bytes]);
}

export function rpcFields(path: string, ...more: readonly string[]): string[] {
  return [
    ...[':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'test'],
    ...['te', 'trailers', 'content-type', 'application/grpc', ...more],
  ];
}

/** A whole call. */
export function call(id: number, path: string, bytes: Uint8Array, ...more: readonly string[]): Buffer {
  return Buffer.concat([headers(id, rpcFields(path, ...more)), data(id, message(bytes), true)]);
}

/** The frames that these bytes are. Throws when they end in the middle of one. */
export function framesOf(bytes: Buffer): Heard[] {
  const frames: Heard[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) throw new Error('a frame is cut short');
    frames.push({
      ...{ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: uint31(bytes, at + 5) },
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** Connects and says nothing yet. `keeps`: which frames it remembers, all when not given. */
export async function peer(port: number, keeps: (heard: Heard) => boolean = () => true): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const heard: Heard[] = [];
  const taken = new Set<Heard>();
  const decoder = new Decoder({ maxTableBytes: 4_096, maxListBytes: 1_000_000 });
  const blocks = new Map<Heard, string[]>();
  let rest: Buffer = EMPTY;
  let bytesHeard = 0;
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    bytesHeard += chunk.length;
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 9) return;
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) return;
      const one = { type: rest[3]!, flags: rest[4]!, id: uint31(rest, 5), payload: rest.subarray(9, 9 + length) };
      rest = rest.subarray(9 + length);
      if (one.type === FRAME.headers) blocks.set(one, decoder.decode(one.payload, 0, length));
      if (keeps(one)) heard.push(one);
      else blocks.delete(one);
    }
  });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));

  return {
    socket,
    heard,
    get bytesHeard() {
      return bytesHeard;
    },
    send(...pieces) {
      if (!socket.destroyed) socket.write(Buffer.concat(pieces));
    },
    next(type, id) {
      return eventually(`a frame of type ${type}`, () => {
        const found = heard.find((it) => it.type === type && (id === undefined || it.id === id) && !taken.has(it));
        if (found !== undefined) taken.add(found);
        return found;
      });
    },
    async answer(id) {
      const isLast = (it: Heard) =>
        it.id === id && (it.type === FRAME.rstStream || (it.type <= FRAME.headers && it.flags & FLAG.endStream));
      await eventually(`stream ${id} to end`, () => socket.destroyed || heard.some(isLast));
      const own = heard.filter((it) => it.id === id);
      const fields = own.flatMap((it) => blocks.get(it) ?? []);
      const pairs = Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i]!, fields[2 * i + 1]!]);
      const body = Buffer.concat(own.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload));
      const ended = own.some((it) => it.type <= FRAME.headers && it.flags & FLAG.endStream);
      const rst = own.find(({ type }) => type === FRAME.rstStream);
      return {
        fields: Object.fromEntries(pairs),
        body,
        reset: ended || rst === undefined ? null : rst.payload.readUInt32BE(),
      };
    },
    async farewell() {
      await eventually('the connection to be closed', () => socket.destroyed);
      const last = heard.findLast(({ type }) => type === FRAME.goaway);
      return last === undefined ? null : last.payload.readUInt32BE(4);
    },
    closed: () => socket.destroyed,
    close: () => socket.destroy(),
  };
}

/** Connects, says hello, and has acknowledged the server's settings. */
export async function greeted(port: number, ...first: readonly Uint8Array[]): Promise<Peer> {
  const it = await peer(port);
  it.send(GREETING, ...first);
  await it.next(FRAME.settings);
  return it;
}
