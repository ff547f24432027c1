import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { CODE, FLAG, FRAME, PREFACE } from '../../src/wire/http2/frame.ts';
import { gunzipped } from '../../src/wire/rpc/gzip.ts';
import type { Method, StreamContext } from '../../src/wire/rpc/method.ts';
import { Queue } from '../../src/wire/rpc/queue.ts';
import { eventually } from '../support/eventually.ts';
import { type Bed, bed, CHAT, ECHO, IDLE, inProcess, MANY, WAIT, wholeMs } from './bed.ts';
import {
  call,
  data,
  frame,
  framesOf,
  GREETING,
  headers,
  message,
  type Peer,
  PING,
  reset,
  rpcFields,
  SETTINGS,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from './peer.ts';

const HI = Buffer.from('hi');

const GET = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'test'];
const ECHO_GZIP = rpcFields(ECHO, 'grpc-encoding', 'gzip');

const many = (times: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: times }, (_, i) => make(i)));

describe('what is unusual on wire, and allowed', () => {
  it('takes 10,000 control frames an hour for days without a request, and 4,001 at once ends it', () => {
    const { connection, errors, hear } = inProcess();
    let nowMs = wholeMs();
    connection.nowMs = () => nowMs;
    hear(GREETING);
    for (let i = 0; i < 10_000; i++) {
      nowMs += 360;
      hear(PING);
    }
    expect(errors).to.deep.equal([]);
    hear(many(4_100, () => PING));
    expect(errors[0]?.message).to.equal('too many control frames');
  });

  for (const [how, byMs] of [
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ] as const) {
    it(`ends the calls whose time is over, and no others, when the clock of the host is set ${how} by a day`, async () => {
      const server = await bed();
      const one = await server.peer();
      const dateNow = Date.now;
      try {
        one.send(GREETING, call(1, WAIT, HI, 'grpc-timeout', '1H'));
        await eventually('the call', () => server.begun() === 1);
        Date.now = () => dateNow() + byMs;
        one.send(call(3, WAIT, HI, 'grpc-timeout', '50m'));
        expect((await one.answer(3)).fields['grpc-status']).to.equal('4');
        server.release();
        expect((await one.answer(1)).fields['grpc-status']).to.equal('0');
      } finally {
        Date.now = dateNow;
        await server.end();
      }
    });
  }

  it('takes a PING and two WINDOW_UPDATE for each of 6,000 messages of a stream, as grpc-go sends them', async () => {
    const { connection, errors, hear } = inProcess();
    const nowMs = wholeMs();
    connection.nowMs = () => nowMs;
    hear(GREETING, headers(1, rpcFields(CHAT)));
    for (let i = 0; i < 6_000; i++) {
      hear(data(1, message(HI)));
      await turn();
      hear(PING, windowUpdate(0, 7), windowUpdate(1, 7));
    }
    expect(errors).to.deep.equal([]);
  });

  it('confirms a table of 0 bytes that became 4,096 again in the same SETTINGS', async () => {
    const { hear, said } = inProcess();
    hear(PREFACE, settings([1, 0], [1, 4_096]), SETTINGS_ACK, call(1, ECHO, HI));
    await turn();
    const block = framesOf(said()).find(({ type }) => type === FRAME.headers);
    // RFC 7541, section 4.2: the smallest of the sizes that were in between.
    expect(block?.payload[0]).to.equal(0x20);
  });

  it('reads on from a socket whose backlog was small, once that has gone', async () => {
    const { connection, hear, hold, letGo } = inProcess({ bounds: { maxUnsentBytes: 10 } });
    hear(GREETING);
    await turn();
    hold();
    hear(call(1, ECHO, HI));
    await eventually('the answer', () => connection.socket.writableLength > 10);
    letGo();
    await turn();
    expect([connection.backedUp, connection.socket.isPaused()]).to.deep.equal([false, false]);
  });

  it('ends after a drain also where the last stream had the number 2^31 - 1', async () => {
    const { connection, hear } = inProcess();
    hear(GREETING, call(0x7fff_ffff, ECHO, HI));
    await turn();
    connection.drain();
    hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.from('draining')));
    expect(connection.ended).to.equal(true);
  });

  it('takes the second step of a drain for the answer to its own PING alone', () => {
    const { connection, hear } = inProcess();
    hear(GREETING);
    connection.drain();
    hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.from('areyouon')));
    expect(connection.ended).to.equal(false);
    hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.from('draining')));
    expect(connection.ended).to.equal(true);
  });

  it('waits for a slow peer to take the last answers of a drain, longer than the second of a linger', async () => {
    const { connection, hear, hold, letGo, said } = inProcess({ bounds: { stallTimeoutMs: 5_000 } });
    hear(GREETING);
    await turn();
    hold();
    hear(call(1, ECHO, HI));
    await eventually('the answer', () => connection.streams.size === 0);
    connection.drain();
    hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.from('draining')));
    connection.life.tick(wholeMs() + 3_000);
    expect(connection.socket.destroyed).to.equal(false);
    letGo();
    await eventually('it all', () => framesOf(said()).filter(({ type }) => type === FRAME.goaway).length === 2);
    connection.life.tick(wholeMs() + 3_000);
    expect(connection.socket.destroyed).to.equal(true);
  });

  it('answers a request that is not gRPC once, though its end comes after its time and no window is open', async () => {
    const { connection, hear, said } = inProcess({ calls: { requestTimeoutMs: 1_000 } });
    hear(PREFACE, settings([4, 0]), SETTINGS_ACK, headers(1, GET));
    for (let i = 1; i < 4; i++) connection.life.tick(wholeMs() + 1_000 * i);
    hear(data(1, HI, true));
    await turn();
    expect(framesOf(said()).filter(({ type }) => type === FRAME.headers)).to.have.lengthOf(1);
  });
});

describe('what is hostile on wire', () => {
  for (const [what, first, next] of [
    ['GOAWAY', headers(1, rpcFields(ECHO)), frame(FRAME.goaway, 0, 0, Buffer.alloc(8))],
    [
      'HEADERS for a stream that we have reset',
      Buffer.concat([headers(1, rpcFields(ECHO)), windowUpdate(1, 0)]),
      headers(1, rpcFields(ECHO)),
    ],
  ] as const) {
    it(`ends a connection for a flood of ${what}`, () => {
      const { errors, hear } = inProcess();
      hear(
        GREETING,
        first,
        many(5_000, () => next),
      );
      expect(errors.map((error) => error.message)).to.deep.equal(['too many control frames']);
    });
  }

  it('keeps 5 streams of 2 where its SETTINGS are never acknowledged, also of what is not gRPC', () => {
    const { connection, hear } = inProcess({ bounds: { maxConcurrentStreams: 2 } });
    hear(
      PREFACE,
      SETTINGS,
      settings([4, 0]),
      many(1_000, (i) => headers(2 * i + 1, GET, i % 2 === 0)),
    );
    expect(connection.streams.size).to.be.lessThan(6);
  });

  describe('bytes that wait', () => {
    let server: Bed;
    let one: Peer;
    const open = async (options: Parameters<typeof bed>[0]): Promise<void> => {
      server = await bed(options);
      one = await server.peer();
      one.send(GREETING);
    };
    afterEach(() => server.end());

    for (const [how, cut] of [
      ['in one frame', 3_005],
      ['in two frames', 2_000],
    ] as const) {
      it(`counts messages that came ${how} and are whole, as long as their calls have no end`, async () => {
        await open({ maxBufferedBytes: 5_000 });
        const whole = message(Buffer.alloc(3_000, 0x61));
        const send = (id: number): void =>
          one.send(
            headers(id, rpcFields(ECHO)),
            data(id, whole.subarray(0, cut)),
            ...(cut < whole.length ? [data(id, whole.subarray(cut))] : []),
          );
        send(1);
        send(3);
        expect((await one.answer(3)).fields['grpc-status']).to.equal('8');
        one.send(data(1, Buffer.alloc(0), true));
        expect((await one.answer(1)).body.length).to.equal(3_005);
        send(5);
        one.send(data(5, Buffer.alloc(0), true));
        expect((await one.answer(5)).fields['grpc-status']).to.equal('0');
      });
    }

    it('counts messages without bytes that nobody reads', async () => {
      await open({ maxBufferedBytes: 100_000 });
      one.send(
        headers(1, rpcFields(IDLE)),
        data(
          1,
          many(3_000, () => message(Buffer.alloc(0))),
        ),
      );
      expect((await one.answer(1)).fields['grpc-status']).to.equal('8');
    });
  });

  it('ends a stream in the middle of a message after 1,000 ms, and keeps one that is silent between two', async () => {
    const { connection, hear, refused } = inProcess({ calls: { requestTimeoutMs: 1_000 } });
    let nowMs = wholeMs();
    connection.nowMs = () => nowMs;
    const half = message(HI).subarray(0, 6);
    const rest = message(HI).subarray(6);
    hear(GREETING, headers(1, rpcFields(CHAT)), headers(3, rpcFields(CHAT)), data(1, half), data(3, half));
    // One message after another ends late, and none has taken long.
    for (let i = 0; i < 5; i++) {
      nowMs += 900;
      hear(data(1, Buffer.concat([rest, half])), ...(i === 0 ? [data(3, rest)] : []));
      await turn();
      connection.life.tick(nowMs);
    }
    nowMs += 999;
    connection.life.tick(nowMs);
    expect(connection.streams.size).to.equal(2);
    connection.life.tick(nowMs + 1);
    expect([[...connection.streams.keys()], refused]).to.deep.equal([[3], ['request_timeout']]);
    await turn();
    expect(connection.bufferedBytes).to.equal(0);
  });

  it('keeps nothing of what comes for a handler that wants no more messages', async () => {
    const serve = async (stream: StreamContext): Promise<void> => {
      for await (const first of stream.messages) {
        await stream.send(first);
        break;
      }
      await new Promise<void>((resolve) => stream.onCancelled(resolve));
    };
    const methods: ReadonlyMap<string, Method> = new Map([[ECHO, { kind: 'stream', serve }]]);
    const { connection, hear, said } = inProcess({ calls: { methods } });
    const sent = message(Buffer.alloc(10_000));
    hear(GREETING, headers(1, rpcFields(ECHO)), data(1, sent), data(1, sent), data(1, sent.subarray(0, 100)));
    await eventually('an answer', () => framesOf(said()).some(({ type }) => type === FRAME.data));
    hear(data(1, sent));
    expect([connection.bufferedBytes, connection.streams.size]).to.deep.equal([0, 1]);
    hear(data(1, sent, true));
    expect([connection.bufferedBytes, connection.streams.size]).to.deep.equal([0, 1]);
  });

  it('rests until the other sockets were read when 256 kB have come', async () => {
    const { connection, hear } = inProcess();
    const { socket } = connection;
    hear(GREETING, headers(1, rpcFields('/test.T/None')));
    const chunk = many(4, () => data(1, Buffer.alloc(16_000)));
    for (let i = 0; i < 4; i++) hear(chunk);
    expect(socket.isPaused()).to.equal(false);
    hear(chunk);
    expect(socket.isPaused()).to.equal(true);
    await turn();
    expect(socket.isPaused()).to.equal(false);
  });

  it('leaves half of 4 places to calls of one message, whatever streams are open', async () => {
    const { hear, said } = inProcess({ calls: { maxRunning: 4 } });
    hear(GREETING, headers(1, rpcFields(IDLE)), headers(3, rpcFields(IDLE)));
    hear(headers(5, rpcFields(IDLE)), call(7, ECHO, HI));
    await eventually('an answer', () => framesOf(said()).some(({ type, id }) => type === FRAME.data && id === 7));
    const ended = framesOf(said()).filter(({ type, flags }) => type === FRAME.headers && flags & FLAG.endStream);
    expect(ended.map(({ id }) => id)).to.deep.equal([5, 7]);
    // A stream that goes makes room for another.
    hear(reset(1, CODE.cancel));
    await turn();
    hear(headers(9, rpcFields(CHAT)), data(9, message(HI)));
    await eventually('an answer', () => framesOf(said()).some(({ type, id }) => type === FRAME.data && id === 9));
  });

  it('holds back a handler whose answers a socket does not take, and sends them all when it does', async () => {
    const { connection, hear, hold, letGo, said } = inProcess();
    hear(PREFACE, settings([4, 0x7fff_ffff]), SETTINGS_ACK, windowUpdate(0, 0x7fff_0000 - 65_535));
    await turn();
    hold();
    // Each is answered 255 times: 25 MB.
    hear(
      headers(1, rpcFields(MANY)),
      many(10, () => data(1, message(Buffer.alloc(10_000, 0xff)))),
    );
    for (let i = 0; i < 100; i++) await turn();
    const { out, blockedBytes } = connection.sender;
    expect(connection.socket.writableLength + out.length + blockedBytes).to.be.lessThan(1_000_000);
    letGo();
    await eventually('all of it', () => said().length > 25_500_000);
    hear(data(1, Buffer.alloc(0), true));
    await eventually('the end', () => connection.streams.size === 0);
  });

  it('keeps 100,000 things in their order, whatever was taken in between', () => {
    const queue = new Queue<number>();
    let [put, taken] = [1, 1];
    while (taken < 100_000) {
      for (let i = 0; i < 300; i++) queue.push(put++);
      for (let i = 0; i < 299; i++) expect(queue.shift() === taken++).to.equal(true);
    }
    expect(queue.length).to.equal(put - taken);
    while (queue.length > 0) expect(queue.shift() === taken++).to.equal(true);
    expect([queue.shift(), taken]).to.deep.equal([undefined, put]);
  });

  it('inflates 8 messages at once, and no more', async () => {
    let finished = 0;
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    const all = Array.from({ length: 50 }, async () => {
      await gunzipped(bomb, 1_000_000, () => true);
      finished++;
    });
    await gunzipped(gzipSync(HI), 1_000_000, () => true);
    expect(finished).to.be.greaterThan(42);
    await Promise.all(all);
  });

  it('never begins a call that is reset while its message is inflated', async () => {
    const { begun, hear, said } = inProcess();
    hear(GREETING, headers(1, ECHO_GZIP), data(1, message(gzipSync(Buffer.alloc(1_000_000)), 1), true));
    hear(reset(1, CODE.cancel), headers(3, ECHO_GZIP), data(3, message(gzipSync(Buffer.alloc(3_000_000)), 1), true));
    await eventually('the other to be answered', () =>
      framesOf(said()).some(({ type, id }) => type === FRAME.data && id === 3),
    );
    expect(begun()).to.equal(1);
  });
});
