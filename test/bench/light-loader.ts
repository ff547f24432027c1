/** A process of `lightLoad`: says that it is ready, begins when its stdin ends, and says as JSON what it took. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { FLAG, FRAME, FRAME_HEADER_BYTES, PREFACE } from '../../src/wire/http2/frame.ts';
import { frame, SETTINGS, SETTINGS_ACK, windowUpdate } from '../wire/peer.ts';
import type { LightLoad } from './light-load.ts';
import { PATH } from './load.ts';

const STREAMS = 32;
/** Added to the window of a connection, so that answers never wait for it. */
const WIDE = 0x7000_0000;

const { port, calls, connections, file } = JSON.parse(process.argv[2] ?? '') as LightLoad;
const body = readFileSync(file);

// RFC 7541: the static entries 3 and 6, then literals that the peer keeps (section 6.2.1), or where it has kept them.
const FIRST = blockOf(
  literal(4, PATH),
  literal(1, 'weir'),
  literal(31, 'application/grpc'),
  literal(0, 'te', 'trailers'),
);
const NEXT = blockOf(Buffer.of(0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62));
const CALL = callOf(NEXT);
const BODY_AT = FRAME_HEADER_BYTES + NEXT.length;

function blockOf(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(0x80 | 3, 0x80 | 6), ...fields]);
}

function literal(name: number, ...texts: readonly string[]): Buffer {
  return Buffer.concat([
    Buffer.of(0x40 | name),
    ...texts.map((it) => Buffer.from(String.fromCharCode(it.length) + it)),
  ]);
}

function callOf(block: Buffer): Buffer {
  return Buffer.concat([frame(FRAME.headers, FLAG.endHeaders, 0, block), frame(FRAME.data, FLAG.endStream, 0, body)]);
}

/** Opens a connection, with no call yet; `run` resolves when it has had the last answer to its share of the calls. */
async function opened(share: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.write(Buffer.concat([PREFACE, SETTINGS, SETTINGS_ACK, windowUpdate(0, WIDE)]));
  await once(socket, 'data');
  let id = 1;
  let left = share;
  let open = 0;

  function send(most: number): void {
    const count = Math.min(most, left);
    if (count === 0) return;
    const bytes = Buffer.alloc(count * CALL.length);
    for (let at = 0; at < bytes.length; at += CALL.length) {
      CALL.copy(bytes, at);
      bytes.writeUInt32BE(id, at + 5);
      bytes.writeUInt32BE(id, at + BODY_AT + 5);
      id += 2;
    }
    left -= count;
    open += count;
    socket.write(bytes);
  }

  /** How many calls end in these bytes, and where the frame begins that is not whole. */
  function read(bytes: Buffer): { ended: number; at: number } {
    let ended = 0;
    let at = 0;
    while (at + FRAME_HEADER_BYTES <= bytes.length) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const type = bytes[at + 3]!;
      const flags = bytes[at + 4]!;
      if (type === FRAME.rstStream || type === FRAME.goaway)
        throw new Error(`a frame of type ${type} in place of an answer`);
      if (type === FRAME.headers && flags & FLAG.endStream) ended++;
      if (type === FRAME.ping && !(flags & FLAG.ack)) {
        socket.write(frame(FRAME.ping, FLAG.ack, 0, bytes.subarray(at + FRAME_HEADER_BYTES, end)));
      }
      at = end;
    }
    return { ended, at };
  }

  const run = () =>
    new Promise<void>((resolve, reject) => {
      let rest: Buffer = Buffer.alloc(0);
      socket.once('close', () => reject(new Error(`closed with ${open + left} calls to come`)));
      socket.on('data', (chunk) => {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const { ended, at } = read(bytes);
        rest = bytes.subarray(at);
        open -= ended;
        send(ended);
        if (open === 0) resolve();
      });
      const first = callOf(FIRST);
      first.writeUInt32BE(id, 5);
      first.writeUInt32BE(id, FRAME_HEADER_BYTES + FIRST.length + 5);
      id += 2;
      left--;
      open++;
      socket.write(first);
      send(STREAMS - 1);
    });
  return { run, close: () => socket.destroy() };
}

const all = [];
for (let i = 0; i < connections; i++) all.push(await opened(Math.ceil((calls - i) / connections)));
console.log('ready');
await buffer(process.stdin);
const startedMs = performance.now();
const before = process.cpuUsage();
await Promise.all(all.map(({ run }) => run()));
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ seconds: (performance.now() - startedMs) / 1_000, cpuUs: user + system }));
process.exit();
