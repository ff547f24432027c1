import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { CODE, FLAG, FRAME, PREFACE } from '../../src/wire/http2/frame.ts';
import type { UnaryHandler } from '../../src/wire/rpc/method.ts';
import { eventually } from '../support/eventually.ts';
import { bedOfCase, CHAT, ECHO, inProcess, SIZE, WAIT } from './bed.ts';
import {
  call,
  data,
  frame,
  framesOf,
  GREETING,
  headers,
  message,
  type Peer,
  reset,
  rpcFields,
  SETTINGS,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from './peer.ts';

/** A method that is not there: it is answered at once, and what comes for it is dropped. */
const NONE = '/test.T/None';
const HI = Buffer.from('hi');
const NOTHING = Buffer.alloc(0);

describe('an HTTP/2 connection', () => {
  const { open, current, greeted } = bedOfCase();

  it('says SETTINGS first, with 4,096 streams, and opens a window of 16 MiB', async () => {
    await open();
    const one = await greeted();
    const first = await one.next(FRAME.settings);
    expect(one.heard[0]).to.equal(first);
    expect(first.payload.subarray(0, 6).toString('hex')).to.equal('000300001000');
    const opened = await one.next(FRAME.windowUpdate, 0);
    expect(opened.payload.readUInt32BE() + 65_535).to.equal(16 * 1024 * 1024);
  });

  it('answers a first flight that comes in one segment, and one that comes byte by byte', async () => {
    await open();
    const flight = Buffer.concat([PREFACE, SETTINGS, windowUpdate(0, 25_100_289), call(1, ECHO, HI)]);
    const one = await current().peer();
    one.send(flight);
    expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
    const other = await current().peer();
    for (const byte of flight) other.send(Buffer.of(byte));
    expect((await other.answer(1)).body.equals(message(HI))).to.equal(true);
  });

  it('answers a PING with its own 8 bytes, and acknowledges SETTINGS', async () => {
    await open();
    const one = await greeted(frame(FRAME.ping, 0, 0, Buffer.from('abcdefgh')));
    const pong = await one.next(FRAME.ping);
    expect([pong.flags, pong.payload.toString()]).to.deep.equal([FLAG.ack, 'abcdefgh']);
    expect(one.heard.filter(({ type, flags }) => type === FRAME.settings && flags === FLAG.ack)).to.have.length(1);
  });

  it('ignores frames, settings and flags that it does not know, and PRIORITY', async () => {
    await open();
    const one = await greeted(
      settings([0x7f, 1], [8, 0]),
      frame(0xbe, 0xff, 0, HI),
      frame(FRAME.priority, 0, 9, Buffer.alloc(5)),
    );
    one.send(call(1, ECHO, HI));
    expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
  });

  it('answers 30 calls of one read in the order of their streams, in one write', async () => {
    await open();
    const one = await greeted();
    await one.next(FRAME.windowUpdate, 0);
    let writes = 0;
    one.socket.on('data', () => writes++);
    one.send(...Array.from({ length: 30 }, (_, i) => call(2 * i + 1, ECHO, HI)));
    await one.answer(59);
    expect(writes).to.equal(1);
    const order = one.heard.filter(({ type }) => type === FRAME.data).map(({ id }) => id);
    expect(order).to.deep.equal(Array.from({ length: 30 }, (_, i) => 2 * i + 1));
  });

  it('never begins a call that is reset in the read in which it came', async () => {
    await open();
    const one = await greeted(call(1, ECHO, HI), reset(1, 2), call(3, ECHO, HI));
    await one.answer(3);
    expect(current().begun()).to.equal(1);
  });

  it('refuses the 3rd stream of 2 once its SETTINGS are acknowledged, and serves it before', async () => {
    await open({ bounds: { maxConcurrentStreams: 2 } });
    const early = await current().peer();
    early.send(PREFACE, SETTINGS, call(1, WAIT, HI), call(3, WAIT, HI), call(5, ECHO, HI));
    expect((await early.answer(5)).fields['grpc-status']).to.equal('0');
    early.send(SETTINGS_ACK, call(7, ECHO, HI));
    expect((await early.answer(7)).reset).to.equal(CODE.refusedStream);
    current().release();
    await early.answer(1);
    early.send(call(9, ECHO, HI));
    expect((await early.answer(9)).fields['grpc-status']).to.equal('0');
  });

  it('answers the 5th call of 2 with RESOURCE_EXHAUSTED where its SETTINGS are never acknowledged', async () => {
    await open({ bounds: { maxConcurrentStreams: 2 } });
    const one = await current().peer();
    one.send(PREFACE, SETTINGS, ...[1, 3, 5, 7].map((id) => call(id, WAIT, HI)), call(9, ECHO, HI));
    expect((await one.answer(9)).fields['grpc-status']).to.equal('8');
  });

  it('keeps the place of a handler whose call was reset until it has ended', async () => {
    await open({ bounds: { maxConcurrentStreams: 2 } });
    const one = await greeted(call(1, WAIT, HI), call(3, WAIT, HI));
    await eventually('both to run', () => current().begun() === 2);
    one.send(reset(1, 2), reset(3, 2), call(5, ECHO, HI));
    expect((await one.answer(5)).fields['grpc-status']).to.equal('8');
    current().release();
    await eventually('a place to be free', async () => {
      const id = 7 + 2 * one.heard.length;
      one.send(call(id, ECHO, HI));
      return (await one.answer(id)).fields['grpc-status'] === '0';
    });
  });

  describe('its HPACK table', () => {
    /** `a: b`, which is put into the table; and the newest entry of it. */
    const [adds, newest] = [Buffer.of(0x40, 1, 0x61, 1, 0x62), Buffer.of(0xbe)];
    const adding = (id: number, ...fields: readonly string[]) =>
      frame(FRAME.headers, FLAG.endHeaders, id, Buffer.concat([encodeBlock(rpcFields(ECHO, ...fields)), adds]));
    const cases: readonly (readonly [string, readonly Buffer[]])[] = [
      ['a malformed call', [adding(3, 'connection', 'close')]],
      ['a call with too long a list', [adding(3, 'x-long', 'y'.repeat(500))]],
      ['a call beyond 2 streams', [headers(3, rpcFields(CHAT)), adding(5)]],
      ['a call that was reset by us', [headers(3, rpcFields(ECHO)), windowUpdate(3, 0), adding(3)]],
      ['HEADERS behind the end of a call', [call(3, WAIT, HI), adding(3)]],
      ['a call behind our last GOAWAY', [frame(FRAME.ping, FLAG.ack, 0, Buffer.from('draining')), adding(3)]],
    ];
    for (const [what, pieces] of cases) {
      it(`is kept in step by the block of ${what}`, async () => {
        const one = inProcess({ bounds: { maxConcurrentStreams: 2, maxHeaderListBytes: 500 } });
        one.hear(GREETING, headers(1, rpcFields(CHAT)));
        if (what.includes('GOAWAY')) one.connection.drain();
        one.hear(...pieces);
        one.hear(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, newest));
        expect(one.errors).to.deep.equal([]);
        await eventually('the call that goes on to be answered', () => !one.connection.streams.has(1));
        expect(framesOf(one.said()).some(({ type, id }) => type === FRAME.rstStream && id === 1)).to.equal(false);
      });
    }
  });

  it('reads the same bytes of a block anew when the table has changed', async () => {
    const seen: (string | null)[] = [];
    const serve: UnaryHandler = async (bytes, context) => {
      seen.push(context.header('a'));
      return bytes;
    };
    const one = inProcess({ calls: { methods: new Map([[ECHO, { kind: 'unary', serve }]]) } });
    const asked = (id: number, last: Buffer) =>
      Buffer.concat([
        frame(FRAME.headers, FLAG.endHeaders, id, Buffer.concat([encodeBlock(rpcFields(ECHO)), last])),
        data(id, message(HI), true),
      ]);
    const adds = (value: string) => Buffer.concat([Buffer.of(0x40, 1, 0x61, 1), Buffer.from(value)]);
    const newest = Buffer.of(0xbe);
    one.hear(GREETING, asked(1, adds('1')), asked(3, newest), asked(5, newest), asked(7, adds('2')), asked(9, newest));
    expect(seen).to.deep.equal(['1', '1', '1', '2', '2']);
  });

  describe('flow control', () => {
    it('gives back what it has read: 21 messages of 60,000 bytes pass a window of 65,535', async () => {
      await open({ bounds: { connectionWindowBytes: 65_535 } });
      const one = await greeted();
      const body = message(Buffer.alloc(60_000, 0x31));
      for (let id = 1, sent = 0; id <= 41; id += 2, sent += body.length) {
        await eventually('the window to be open', () => 65_535 + given(one) - sent >= body.length);
        one.send(headers(id, rpcFields(NONE, 'content-length', String(body.length))));
        for (let at = 0; at < body.length; at += 16_384) {
          one.send(data(id, body.subarray(at, at + 16_384), at + 16_384 >= body.length));
        }
        expect((await one.answer(id)).fields['grpc-status']).to.equal('12');
      }
    });

    it('sends 3 bytes into a stream window of 3, the next when it opens, and honours a negative one', async () => {
      await open();
      const one = await current().peer();
      one.send(PREFACE, settings([4, 3]), SETTINGS_ACK, call(1, ECHO, Buffer.from('0123456789')));
      expect((await one.next(FRAME.data, 1)).payload.length).to.equal(3);
      // 3 sent and a window of 1: it stands at -2.
      one.send(settings([4, 1]), windowUpdate(1, 3));
      expect((await one.next(FRAME.data, 1)).payload.length).to.equal(1);
      one.send(windowUpdate(1, 1_000));
      const { body, fields } = await one.answer(1);
      expect([body.length, fields['grpc-status']]).to.deep.equal([15, '0']);
    });

    it('sends each of 3 answers that waited for a window with its own length', async () => {
      await open();
      const texts = ['a', 'bb', 'ccc'].map((text) => Buffer.from(text));
      const one = await current().peer();
      one.send(PREFACE, settings([4, 0]), SETTINGS_ACK, ...texts.map((text, i) => call(2 * i + 1, ECHO, text)));
      for (const id of [1, 3, 5]) await one.next(FRAME.headers, id);
      one.send(settings([4, 65_535]));
      for (const [i, text] of texts.entries()) {
        expect((await one.answer(2 * i + 1)).body.equals(message(text))).to.equal(true);
      }
    });

    it('sends never more than the window of the connection, whatever the streams allow', async () => {
      await open();
      const one = await greeted(settings([4, 1_000_000]), call(1, SIZE, Buffer.from('200000')), call(3, ECHO, HI));
      const got = () =>
        one.heard.reduce((sum, { type, payload }) => sum + (type === FRAME.data ? payload.length : 0), 0);
      await eventually('65,535 bytes', () => got() === 65_535);
      one.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
      await one.next(FRAME.ping);
      expect(got()).to.equal(65_535);
      one.send(windowUpdate(0, 1_000_000));
      expect((await one.answer(1)).body.length).to.equal(200_005);
      expect((await one.answer(3)).fields['grpc-status']).to.equal('0');
    });

    it('lets a small answer pass between the frames of a large one', async () => {
      await open();
      const one = await greeted(
        settings([4, 10_000_000]),
        call(1, SIZE, Buffer.from('1000000')),
        call(3, SIZE, Buffer.from('9')),
      );
      await one.next(FRAME.data, 1);
      one.send(windowUpdate(0, 60_000));
      expect((await one.answer(3)).body.length).to.equal(14);
      one.send(windowUpdate(0, 2_000_000));
      expect((await one.answer(1)).body.length).to.equal(1_000_005);
    });

    it('gives back to a stream what was padding: 100 frames of 256 bytes pass a window of 16,384', async () => {
      await open({ bounds: { streamWindowBytes: 16_384 } });
      const one = await greeted(headers(1, rpcFields(CHAT)));
      const padded = frame(
        FRAME.data,
        FLAG.padded,
        1,
        Buffer.concat([Buffer.of(250), message(NOTHING), Buffer.alloc(250)]),
      );
      let room = 16_384;
      for (let sent = 0; sent < 100; sent++) {
        room -= 256;
        if (room < 0) room += (await one.next(FRAME.windowUpdate, 1)).payload.readUInt32BE();
        one.send(padded);
      }
      one.send(data(1, NOTHING, true));
      expect((await one.answer(1)).body.length).to.equal(100 * 5);
    });

    it('counts padding, and DATA of streams that are over', async () => {
      await open({ bounds: { connectionWindowBytes: 100_000 } });
      const one = await greeted();
      // 12,000 of padding in each, for an unknown method, which is answered at once.
      const padded = frame(FRAME.data, FLAG.padded, 1, Buffer.concat([Buffer.of(255), Buffer.alloc(12_000)]));
      one.send(headers(1, rpcFields(NONE)), ...new Array<Buffer>(20).fill(padded));
      await eventually('240,000 bytes to be given back', () => {
        let given = 0;
        for (const it of one.heard)
          if (it.type === FRAME.windowUpdate && it.id === 0) given += it.payload.readUInt32BE();
        return given >= 34_465 + 190_000;
      });
      expect(one.closed()).to.equal(false);
    });
  });

  describe('its end', () => {
    it('says GOAWAY twice, answers what is in flight and what came between, and closes', async () => {
      await open();
      const one = await greeted(call(1, WAIT, HI));
      await eventually('it to run', () => current().begun() === 1);
      const stopped = current().server.stop(10_000);
      const first = await one.next(FRAME.goaway);
      expect(first.payload.readUInt32BE()).to.equal(0x7fff_ffff);
      const ping = await one.next(FRAME.ping);
      one.send(call(3, WAIT, HI), frame(FRAME.ping, FLAG.ack, 0, ping.payload));
      const second = await one.next(FRAME.goaway);
      expect([second.payload.readUInt32BE(), second.payload.readUInt32BE(4)]).to.deep.equal([3, CODE.noError]);
      // This one came behind the GOAWAY; its block is read for the table's sake, and nothing else happens.
      one.send(call(5, ECHO, HI));
      current().release();
      expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
      expect((await one.answer(3)).fields['grpc-status']).to.equal('0');
      await one.farewell();
      await stopped;
      expect(current().failures).to.deep.equal([]);
    });

    it('does not take the answer to another PING for that to its GOAWAY', async () => {
      await open();
      const one = await greeted(call(1, WAIT, HI));
      await eventually('it to run', () => current().begun() === 1);
      const stopped = current().server.stop(10_000);
      await one.next(FRAME.goaway);
      const ping = await one.next(FRAME.ping);
      one.send(frame(FRAME.ping, FLAG.ack, 0, Buffer.from('areyouon')));
      one.send(call(3, ECHO, HI), frame(FRAME.ping, FLAG.ack, 0, ping.payload));
      expect((await one.answer(3)).fields['grpc-status']).to.equal('0');
      current().release();
      await one.farewell();
      await stopped;
    });

    it('answers the first calls of a peer that had not spoken when it was to end', async () => {
      await open();
      const one = await current().peer();
      await eventually('it to be known', () => current().server.connections === 1);
      const stopped = current().server.stop(10_000);
      one.send(GREETING, call(1, ECHO, HI));
      expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
      await one.next(FRAME.goaway);
      await one.farewell();
      await stopped;
      expect(current().failures).to.deep.equal([]);
    });

    it('takes the second step after a second when nobody answers its PING', async () => {
      await open();
      const one = await greeted(call(1, WAIT, HI));
      await eventually('it to run', () => current().begun() === 1);
      void current().server.stop(10_000);
      await one.next(FRAME.goaway);
      await one.next(FRAME.goaway);
      current().release();
      await one.farewell();
    });

    it('cuts what is left at the deadline of the drain', async () => {
      await open();
      const one = await greeted(call(1, WAIT, HI));
      await eventually('it to run', () => current().begun() === 1);
      await current().server.stop(50);
      expect(await one.farewell()).to.equal(CODE.noError);
    });

    it('goes when the peer says GOAWAY and nothing is open', async () => {
      await open();
      const one = await greeted(call(1, ECHO, HI));
      await one.answer(1);
      one.send(frame(FRAME.goaway, 0, 0, Buffer.alloc(8)));
      await one.farewell();
    });

    it('lets a connection of 50 ms at most age go, and answers its last call', async () => {
      await open({ bounds: { maxAgeMs: 50, maxAgeGraceMs: 10_000 } });
      const one = await greeted(call(1, WAIT, HI));
      await one.next(FRAME.goaway);
      current().release();
      expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
      await one.farewell();
    });

    it('cuts it when its grace is over', async () => {
      await open({ bounds: { maxAgeMs: 20, maxAgeGraceMs: 50 } });
      const one = await greeted(call(1, WAIT, HI));
      await one.farewell();
      expect((await one.answer(1)).fields).to.deep.equal({});
    });

    it('keeps an idle connection, unless it is told how long', async () => {
      await open({ bounds: { idleTimeoutMs: 30 } });
      const one = await greeted();
      expect(await one.farewell()).to.equal(CODE.noError);
    });

    it('pings a silent connection, keeps the one that answers and cuts the one that does not', async () => {
      await open({ bounds: { keepaliveTimeMs: 40, keepaliveTimeoutMs: 400 } });
      const alive = await greeted();
      const dead = await greeted();
      alive.socket.on('data', () => alive.send(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8))));
      await dead.farewell();
      expect(alive.closed()).to.equal(false);
    });
  });

  describe('what is no HTTP/2', () => {
    const said = async (text: string): Promise<string> => {
      await open();
      const socket = connect(current().port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      const closed = once(socket, 'close');
      socket.write(text);
      await closed;
      return answer;
    };

    it('answers 505 to HTTP/1.1 and closes', async () => {
      expect(await said('GET / HTTP/1.1\r\nhost: x\r\n\r\n')).to.match(/^HTTP\/1\.1 505 .*\r\n\r\nThis port speaks/s);
    });

    it('answers 505 to a POST, whose method begins as the preface does', async () => {
      expect(await said('POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')).to.match(/^HTTP\/1\.1 505 /);
    });

    it('closes without a word on anything else', async () => {
      expect(await said('\x16\x03\x01\x02\x00\x01')).to.equal('');
    });
  });
});

/** What the server has given back of the window of the connection. */
function given(one: Peer): number {
  const updates = one.heard.filter(({ type, id }) => type === FRAME.windowUpdate && id === 0);
  return updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
}
