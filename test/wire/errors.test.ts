import { expect } from 'chai';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { CODE, FLAG, FRAME, PREFACE } from '../../src/wire/http2/frame.ts';
import { eventually } from '../support/eventually.ts';
import { bedOfCase, ECHO, IDLE, inProcess, WAIT } from './bed.ts';
import {
  call,
  data,
  frame,
  GREETING,
  headers,
  message,
  reset,
  rpcFields,
  SETTINGS_ACK,
  settings,
  uint32,
  windowUpdate,
} from './peer.ts';

const HI = Buffer.from('hi');

describe('errors of HTTP/2', () => {
  const { open, current, greeted } = bedOfCase();

  describe('what RFC 9113 calls an error of the connection', () => {
    const path = rpcFields(ECHO);
    const block = encodeBlock(path);
    const openStream = headers(1, path);
    const cases: readonly (readonly [string, number, readonly Buffer[]])[] = [
      ['a first frame that is not SETTINGS', CODE.protocolError, [PREFACE, frame(FRAME.ping, 0, 0, Buffer.alloc(8))]],
      ['a first SETTINGS that acknowledges', CODE.protocolError, [PREFACE, SETTINGS_ACK]],
      ['DATA on stream 0', CODE.protocolError, [data(0, HI)]],
      ['DATA on an idle stream', CODE.protocolError, [data(1, HI)]],
      ['DATA on a stream of even number', CODE.protocolError, [call(3, ECHO, HI), data(2, HI)]],
      ['HEADERS on stream 0', CODE.protocolError, [frame(FRAME.headers, FLAG.endHeaders, 0, block)]],
      ['HEADERS on stream 2', CODE.protocolError, [frame(FRAME.headers, FLAG.endHeaders, 2, block)]],
      ['HEADERS on stream 3 behind 5', CODE.protocolError, [headers(5, path), headers(3, path)]],
      ['HEADERS on a stream that is over', CODE.streamClosed, [call(1, ECHO, HI), reset(1, 8), headers(1, path)]],
      ['DATA on a stream that the peer has reset', CODE.streamClosed, [openStream, reset(1, 8), data(1, HI)]],
      ['PRIORITY on stream 0', CODE.protocolError, [frame(FRAME.priority, 0, 0, Buffer.alloc(5))]],
      ['RST_STREAM on stream 0', CODE.protocolError, [reset(0, 8)]],
      ['RST_STREAM on an idle stream', CODE.protocolError, [reset(1, 8)]],
      ['RST_STREAM of 3 bytes', CODE.frameSizeError, [openStream, frame(FRAME.rstStream, 0, 1, Buffer.alloc(3))]],
      ['SETTINGS on a stream', CODE.protocolError, [frame(FRAME.settings, 0, 1)]],
      ['SETTINGS of 5 bytes', CODE.frameSizeError, [frame(FRAME.settings, 0, 0, Buffer.alloc(5))]],
      ['an ACK of SETTINGS with a payload', CODE.frameSizeError, [frame(FRAME.settings, 1, 0, Buffer.alloc(6))]],
      ['ENABLE_PUSH of 2', CODE.protocolError, [settings([2, 2])]],
      ['INITIAL_WINDOW_SIZE of 2^31', CODE.flowControlError, [settings([4, 2 ** 31])]],
      ['MAX_FRAME_SIZE of 16,383', CODE.protocolError, [settings([5, 16_383])]],
      ['MAX_FRAME_SIZE of 2^24', CODE.protocolError, [settings([5, 2 ** 24])]],
      ['PUSH_PROMISE', CODE.protocolError, [frame(FRAME.pushPromise, FLAG.endHeaders, 1, uint32(2))]],
      ['PING on a stream', CODE.protocolError, [frame(FRAME.ping, 0, 1, Buffer.alloc(8))]],
      ['PING of 7 bytes', CODE.frameSizeError, [frame(FRAME.ping, 0, 0, Buffer.alloc(7))]],
      ['GOAWAY on a stream', CODE.protocolError, [frame(FRAME.goaway, 0, 1, Buffer.alloc(8))]],
      ['GOAWAY of 7 bytes', CODE.frameSizeError, [frame(FRAME.goaway, 0, 0, Buffer.alloc(7))]],
      ['WINDOW_UPDATE of 0 on the connection', CODE.protocolError, [windowUpdate(0, 0)]],
      ['WINDOW_UPDATE on an idle stream', CODE.protocolError, [windowUpdate(1, 1)]],
      ['WINDOW_UPDATE on a stream of even number', CODE.protocolError, [call(3, ECHO, HI), windowUpdate(2, 1)]],
      ['RST_STREAM on a stream of even number', CODE.protocolError, [call(3, ECHO, HI), reset(2, 8)]],
      ['WINDOW_UPDATE of 5 bytes', CODE.frameSizeError, [frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(5))]],
      ['a connection window above 2^31-1', CODE.flowControlError, [windowUpdate(0, 0x7fff_ffff)]],
      [
        'a stream window that SETTINGS carry above 2^31-1',
        CODE.flowControlError,
        [openStream, windowUpdate(1, 0x7fff_0000), settings([4, 0x7fff_ffff])],
      ],
      ['a frame of 16,385 bytes', CODE.frameSizeError, [openStream, data(1, Buffer.alloc(16_385))]],
      ['padding as long as its frame', CODE.protocolError, [openStream, frame(0, FLAG.padded, 1, Buffer.of(2, 0))]],
      ['padding without its length', CODE.frameSizeError, [openStream, frame(0, FLAG.padded, 1)]],
      ['padding beyond HEADERS', CODE.protocolError, [frame(1, FLAG.padded | 4, 1, Buffer.of(9, 0x82))]],
      ['padding as long as HEADERS', CODE.protocolError, [frame(1, FLAG.padded | 4, 1, Buffer.of(2, 0x82))]],
      ['padding of HEADERS without its length', CODE.frameSizeError, [frame(1, FLAG.padded | 4, 1)]],
      ['HEADERS too short for a priority', CODE.frameSizeError, [frame(1, FLAG.priority | 4, 1, Buffer.alloc(4))]],
      [
        'HEADERS too short for a priority and the length of a padding',
        CODE.frameSizeError,
        [frame(1, FLAG.padded | FLAG.priority | 4, 1, Buffer.alloc(5))],
      ],
      [
        'padding that leaves no room for a priority',
        CODE.protocolError,
        [frame(1, FLAG.padded | FLAG.priority | 4, 1, Buffer.of(1, 0, 0, 0, 0, 0))],
      ],
      [
        'HEADERS on a stream that depends on itself',
        CODE.protocolError,
        [frame(1, FLAG.priority | 4, 1, Buffer.concat([Buffer.of(0, 0, 0, 1, 0), block]))],
      ],
      ['CONTINUATION of nothing', CODE.protocolError, [frame(FRAME.continuation, 4, 1, block)]],
      [
        'CONTINUATION behind END_HEADERS',
        CODE.protocolError,
        [openStream, frame(FRAME.continuation, FLAG.endHeaders, 1, block)],
      ],
      [
        'CONTINUATION of another stream',
        CODE.protocolError,
        [frame(FRAME.headers, 0, 1, block), frame(FRAME.continuation, FLAG.endHeaders, 3, block)],
      ],
      ['PING within a block', CODE.protocolError, [frame(1, 0, 1, block), frame(6, 0, 0, Buffer.alloc(8))]],
      ['an unknown frame within a block', CODE.protocolError, [frame(1, 0, 1, block), frame(99, 0, 1)]],
      ['a block that is no HPACK', CODE.compressionError, [frame(1, FLAG.endHeaders, 1, Buffer.of(0x80))]],
    ];
    for (const [what, code, pieces] of cases) {
      it(`ends it for ${what} with GOAWAY ${code}, and closes the socket`, async () => {
        await open();
        const one = await current().peer();
        one.send(...(pieces[0] === PREFACE ? pieces : [GREETING, ...pieces]));
        expect(await one.farewell()).to.equal(code);
        expect(current().failures).to.have.length(1);
        await eventually('the server to forget it', () => current().server.connections === 0);
      });
    }

    it('ends it for 80,000 bytes of DATA in one read where its window is 65,535', () => {
      const one = inProcess({ bounds: { connectionWindowBytes: 65_535 } });
      const pieces = Array.from({ length: 5 }, () => data(1, Buffer.alloc(16_000)));
      one.hear(GREETING, openStream, ...pieces.slice(0, 4));
      expect(one.errors).to.deep.equal([]);
      one.hear(...pieces);
      expect(one.errors.map((error) => error.message)).to.deep.equal(['DATA beyond the window']);
    });
  });

  describe('what RFC 9113 calls an error of a stream', () => {
    const request = (without: string, ...more: string[]) => {
      const fields = rpcFields(ECHO);
      const at = fields.indexOf(without);
      return [...fields.slice(0, at), ...fields.slice(at + 2), ...more];
    };
    const cases: readonly (readonly [string, number, readonly Buffer[]])[] = [
      ['a missing :method', CODE.protocolError, [headers(1, request(':method'))]],
      ['a missing :scheme', CODE.protocolError, [headers(1, request(':scheme'))]],
      ['a missing :path', CODE.protocolError, [headers(1, request(':path'))]],
      ['an empty :path', CODE.protocolError, [headers(1, [':path', '', ...request(':path')])]],
      ...[':method', ':scheme', ':path', ':authority'].map(
        (name) => [`a repeated ${name}`, CODE.protocolError, [headers(1, [name, 'x', ...rpcFields(ECHO)])]] as const,
      ),
      ['a line break in :authority', CODE.protocolError, [headers(1, [':authority', 'a\n', ...request(':authority')])]],
      ['an unknown pseudo-header', CODE.protocolError, [headers(1, [':status', '200', ...rpcFields(ECHO)])]],
      ['a pseudo-header behind a field', CODE.protocolError, [headers(1, [...request(':path'), ':path', '/'])]],
      ['a name in upper case', CODE.protocolError, [headers(1, rpcFields(ECHO, 'X-a', 'b'))]],
      ['an empty name', CODE.protocolError, [headers(1, rpcFields(ECHO, '', 'b'))]],
      ['a line break in a value', CODE.protocolError, [headers(1, rpcFields(ECHO, 'a', 'b\r\nc: d'))]],
      ['a value that begins with a blank', CODE.protocolError, [headers(1, rpcFields(ECHO, 'a', ' b'))]],
      ...['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'].map(
        (name) => [name, CODE.protocolError, [headers(1, rpcFields(ECHO, name, 'x'))]] as const,
      ),
      ['te other than trailers', CODE.protocolError, [headers(1, rpcFields(ECHO, 'te', 'gzip'))]],
      ['te of more than trailers', CODE.protocolError, [headers(1, [...request('te'), 'te', 'trailers, deflate'])]],
      [
        'connection among trailers',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO)), headers(1, ['connection', 'close'], true)],
      ],
      [
        'two lengths that differ',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO, 'content-length', '1', 'content-length', '2'))],
      ],
      ['a length that is no number', CODE.protocolError, [headers(1, rpcFields(ECHO, 'content-length', '+1'))]],
      ['a length and no body', CODE.protocolError, [headers(1, rpcFields(ECHO, 'content-length', '1'), true)]],
      [
        'a body longer than its length',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO, 'content-length', '6')), data(1, message(HI), true)],
      ],
      [
        'a body shorter than its length',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO, 'content-length', '8')), data(1, message(HI), true)],
      ],
      [
        'a body shorter than its length, and trailers',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO, 'content-length', '8')), data(1, message(HI)), headers(1, ['a', 'b'], true)],
      ],
      [
        'trailers that do not end the stream',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO)), headers(1, ['a', 'b'])],
      ],
      [
        'a pseudo-header among trailers',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO)), headers(1, [':path', '/'], true)],
      ],
      ['WINDOW_UPDATE of 0', CODE.protocolError, [headers(1, rpcFields(ECHO)), windowUpdate(1, 0)]],
      ['a window above 2^31-1', CODE.flowControlError, [headers(1, rpcFields(ECHO)), windowUpdate(1, 0x7fff_ffff)]],
      ['DATA behind END_STREAM', CODE.streamClosed, [call(1, WAIT, HI), data(1, HI)]],
      ['HEADERS behind END_STREAM', CODE.streamClosed, [call(1, WAIT, HI), headers(1, ['a', 'b'], true)]],
      [
        'PRIORITY of 4 bytes',
        CODE.frameSizeError,
        [headers(1, rpcFields(ECHO)), frame(FRAME.priority, 0, 1, Buffer.alloc(4))],
      ],
      [
        'PRIORITY on itself',
        CODE.protocolError,
        [headers(1, rpcFields(ECHO)), frame(FRAME.priority, 0, 1, Buffer.of(0, 0, 0, 1, 0))],
      ],
    ];
    for (const [what, code, pieces] of cases) {
      it(`resets it for ${what} with ${code}, and serves the next one`, async () => {
        await open();
        const one = await greeted(...pieces, call(3, ECHO, HI));
        expect((await one.answer(1)).reset).to.equal(code);
        expect((await one.answer(3)).body.equals(message(HI))).to.equal(true);
        expect(one.closed()).to.equal(false);
      });
    }

    it('resets it for DATA beyond a window of 16,384 bytes that its handler does not open', async () => {
      await open({ bounds: { streamWindowBytes: 16_384 } });
      const one = await greeted(
        headers(1, rpcFields(IDLE)),
        ...new Array(20).fill(data(1, message(Buffer.alloc(995)))),
      );
      expect((await one.answer(1)).reset).to.equal(CODE.flowControlError);
      one.send(call(3, ECHO, HI));
      expect((await one.answer(3)).fields['grpc-status']).to.equal('0');
    });
  });
});
