import { FRAME } from '../../src/wire/http2/frame.ts';
import { call, data, frame, headers, rpcFields, windowUpdate } from './peer.ts';

const HI = Buffer.from('hi');

/** What RFC 9113 calls an error of a stream, so that a peer can make us reset a call that it has begun (CVE-2025-8671). */
export const MADE_RESETS: readonly (readonly [what: string, made: (id: number, path: string) => Buffer])[] = [
  ['a WINDOW_UPDATE of 0', (id, path) => Buffer.concat([call(id, path, HI), windowUpdate(id, 0)])],
  ['a window above 2^31-1', (id, path) => Buffer.concat([call(id, path, HI), windowUpdate(id, 0x7fff_ffff)])],
  ['DATA behind its end', (id, path) => Buffer.concat([call(id, path, HI), data(id, HI)])],
  ['HEADERS behind its end', (id, path) => Buffer.concat([call(id, path, HI), headers(id, ['a', 'b'], true)])],
  [
    'a PRIORITY of 4 bytes',
    (id, path) => Buffer.concat([call(id, path, HI), frame(FRAME.priority, 0, id, Buffer.alloc(4))]),
  ],
  [
    'a PRIORITY on itself',
    (id, path) => {
      const itself = Buffer.alloc(5);
      itself.writeUInt32BE(id);
      return Buffer.concat([call(id, path, HI), frame(FRAME.priority, 0, id, itself)]);
    },
  ],
  ['a length that does not fit', (id, path) => call(id, path, HI, 'content-length', '1')],
  ['a field of HTTP/1.1', (id, path) => headers(id, rpcFields(path, 'connection', 'close'), true)],
  ['trailers that end nothing', (id, path) => Buffer.concat([headers(id, rpcFields(path)), headers(id, ['a', 'b'])])],
];
