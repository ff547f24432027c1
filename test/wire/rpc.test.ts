import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { FRAME } from '../../src/wire/http2/frame.ts';
import type { StreamContext } from '../../src/wire/rpc/method.ts';
import { parseTimeout } from '../../src/wire/rpc/timeout.ts';
import { type WireServerOptions, wireServer } from '../../src/wire/server.ts';
import { eventually } from '../support/eventually.ts';
import { type Bed, bed, CHAT, ECHO, FAIL, MANY, WAIT } from './bed.ts';
import { type Answer, call, data, GREETING, headers, message, type Peer, reset, rpcFields } from './peer.ts';

const HI = Buffer.from('hi');

describe('gRPC on wire', () => {
  let server: Bed;
  let one: Peer;
  let id = -1;

  async function open(options: Partial<WireServerOptions> = {}): Promise<void> {
    server = await bed(options);
    one = await server.peer();
    one.send(GREETING);
    id = -1;
  }

  /** A call of these frames, each made for the id of the call. */
  async function ask(...frames: ((id: number) => Buffer)[]): Promise<Answer> {
    id += 2;
    one.send(...frames.map((make) => make(id)));
    return one.answer(id);
  }

  const fields =
    (path: string, ...more: string[]) =>
    (it: number) =>
      headers(it, rpcFields(path, ...more));
  const whole =
    (path: string, bytes: Uint8Array, ...more: string[]) =>
    (it: number) =>
      call(it, path, bytes, ...more);
  const body =
    (bytes: Uint8Array, end = true) =>
    (it: number) =>
      data(it, bytes, end);
  const status = ({ fields: { 'grpc-status': code, 'grpc-message': text } }: Answer) => `${code} ${text ?? ''}`.trim();

  afterEach(() => server?.end());

  describe('a call of one message', () => {
    it('answers headers, a message and status 0', async () => {
      await open();
      const answer = await ask(whole(ECHO, HI));
      expect(answer).to.deep.equal({
        fields: { ':status': '200', 'content-type': 'application/grpc', 'grpc-status': '0' },
        body: message(HI),
        reset: null,
      });
    });

    it('takes a call without te, as proxies may leave it out', async () => {
      await open();
      const own = rpcFields(ECHO).filter((text) => text !== 'te' && text !== 'trailers');
      expect(status(await ask((it) => headers(it, own), body(message(HI))))).to.equal('0');
    });

    it('takes an empty message, and one of 1,000,000 bytes in any pieces', async () => {
      await open();
      expect((await ask(whole(ECHO, Buffer.alloc(0)))).body.length).to.equal(5);
      const bytes = Buffer.alloc(1_000_000, 'abc');
      const framed = message(bytes);
      for (const piece of [1_000, 7_777, 16_384]) {
        id += 2;
        one.send(headers(id, rpcFields(ECHO)));
        for (let at = 0; at < framed.length; at += piece) {
          one.send(data(id, framed.subarray(at, at + piece), at + piece >= framed.length));
        }
        const more = Buffer.alloc(8);
        more.writeUInt32BE(2_000_000, 0);
        const open_ = (stream: number) =>
          Buffer.concat([Buffer.of(0, 0, 4, FRAME.windowUpdate, 0, 0, 0, 0, stream), more.subarray(0, 4)]);
        one.send(open_(id), open_(0));
        const answer = await one.answer(id);
        expect(answer.body.equals(framed)).to.equal(true);
      }
    });

    it('takes a prefix that comes byte by byte, and an END_STREAM of its own', async () => {
      await open();
      const bytes = [...message(HI)].map((byte) => body(Buffer.of(byte), false));
      expect(status(await ask(fields(ECHO), ...bytes, body(Buffer.alloc(0))))).to.equal('0');
    });

    it('takes trailers as the end', async () => {
      await open();
      const answer = await ask(fields(ECHO), body(message(HI), false), (it) => headers(it, ['x-end', '1'], true));
      expect(answer.body.equals(message(HI))).to.equal(true);
    });

    it('answers at once a call whose HEADERS are its end', async () => {
      await open();
      expect(status(await ask((it) => headers(it, rpcFields(ECHO), true)))).to.equal('12 no message in a call of one');
    });

    it('answers UNIMPLEMENTED to two messages, INTERNAL to half a message', async () => {
      await open();
      const two = Buffer.concat([message(HI), message(HI)]);
      expect(status(await ask(fields(ECHO), body(two)))).to.equal('12 a second message in a call of one');
      const half = message(HI).subarray(0, 6);
      expect(status(await ask(fields(ECHO), body(half)))).to.equal('13 the message is cut short');
      expect(status(await ask(fields(ECHO), body(Buffer.of(0, 0))))).to.equal('13 the message is cut short');
    });

    it('takes a message of 1,000 bytes at most and refuses 1,001 by their prefix alone, and a claim of 4 GB', async () => {
      await open({ maxMessageBytes: 1_000 });
      expect(status(await ask(whole(ECHO, Buffer.alloc(1_000))))).to.equal('0');
      const refused = '8 a message of 1001 bytes, the limit is 1000';
      expect(status(await ask(fields(ECHO), body(Buffer.of(0, 0, 0, 3, 0xe9), false)))).to.equal(refused);
      expect(status(await ask(whole(ECHO, Buffer.alloc(1_001))))).to.equal(refused);
      const claim = Buffer.of(0, 0xff, 0xff, 0xff, 0xff, 1);
      expect(status(await ask(fields(ECHO), body(claim, false)))).to.match(/^8 a message of 4294967295 bytes/);
    });

    it('reads gzip, and refuses a flag without an encoding, a flag of 2, what is no gzip and a bomb', async () => {
      await open({ maxMessageBytes: 10_000 });
      const packed = message(gzipSync(HI), 1);
      expect((await ask(fields(ECHO, 'grpc-encoding', 'gzip'), body(packed))).body.equals(message(HI))).to.equal(true);
      const plain = await ask(fields(ECHO, 'grpc-encoding', 'gzip'), body(message(HI)));
      expect(plain.body.equals(message(HI))).to.equal(true);
      expect(status(await ask(fields(ECHO), body(packed)))).to.equal('13 a compressed message without grpc-encoding');
      expect(status(await ask(fields(ECHO), body(message(HI, 2))))).to.equal('13 a compressed flag of 2');
      const gzip = fields(ECHO, 'grpc-encoding', 'gzip');
      expect(status(await ask(gzip, body(message(HI, 1))))).to.equal('13 the message is no gzip');
      const bomb = message(gzipSync(Buffer.alloc(1_000_000)), 1);
      expect(status(await ask(gzip, body(bomb)))).to.equal('8 a message of more than 10000 bytes');
    });

    it('answers UNIMPLEMENTED to another encoding, and says which it takes', async () => {
      await open();
      const answer = await ask(fields(ECHO, 'grpc-encoding', 'snappy'), body(message(HI)));
      expect([answer.fields['grpc-status'], answer.fields['grpc-accept-encoding']]).to.deep.equal([
        '12',
        'identity,gzip',
      ]);
    });

    it('escapes what no header may hold in a message, and cuts it at 1,024 characters', async () => {
      await open();
      const fail = (text: string) => ask(whole(FAIL, Buffer.concat([Buffer.of(9), Buffer.from(text)])));
      expect(status(await fail('plain'))).to.equal('9 plain');
      expect(status(await fail(' a b '))).to.equal('9 %20a b%20');
      expect(status(await fail('50 % é\n'))).to.equal('9 50 %25 %C3%A9%0A');
      expect(status(await fail('x'.repeat(2_000)))).to.have.lengthOf(1_026);
    });

    it('answers UNIMPLEMENTED for a method that is not there, at once', async () => {
      await open();
      expect(status(await ask(fields('/test.T/Other')))).to.equal('12 unknown method /test.T/Other');
    });
  });

  describe('grpc-timeout', () => {
    for (const text of ['', '1', 'm', '123456789m', '1x', '-1m', '1.5S', '1m ', '1mm', '０m']) {
      it(`answers INTERNAL to ${JSON.stringify(text)}`, async () => {
        await open();
        const bytes = Buffer.from(text).toString('latin1');
        const answer = await ask(whole(ECHO, HI, 'grpc-timeout', bytes));
        // A blank at the end of a value is malformed already as a field.
        if (text.endsWith(' ')) expect(answer.reset).to.equal(1);
        else expect(status(answer)).to.equal('13 malformed grpc-timeout');
      });
    }

    it('answers INTERNAL to two of them, and DEADLINE_EXCEEDED to none left', async () => {
      await open();
      const two = ['grpc-timeout', '1S', 'grpc-timeout', '2S'];
      expect(status(await ask(whole(ECHO, HI, ...two)))).to.equal('13 malformed grpc-timeout');
      expect(status(await ask(whole(ECHO, HI, 'grpc-timeout', '0m')))).to.equal('4 the deadline is over');
    });

    it('reads all six units', () => {
      const units = ['1H', '1M', '1S', '1m', '1u', '1n', '99999999H'];
      expect(units.map(parseTimeout)).to.deep.equal([3_600_000, 60_000, 1_000, 1, 1e-3, 1e-6, 99_999_999 * 3_600_000]);
    });

    it('ends a call of 30 ms whose message does not come', async () => {
      await open();
      expect(status(await ask(fields(ECHO, 'grpc-timeout', '30m')))).to.equal('4 the deadline is over');
    });

    it('ends a call of 30 ms whose handler does not', async () => {
      await open();
      expect(status(await ask(whole(WAIT, HI, 'grpc-timeout', '30m')))).to.equal('4 the deadline is over');
    });
  });

  it('ends a call of one message that does not arrive within 50 ms', async () => {
    await open({ requestTimeoutMs: 50 });
    expect(status(await ask(fields(ECHO)))).to.equal('4 the request did not arrive in time');
  });

  it('refuses the 2nd handler of 1, and takes one again when it has ended', async () => {
    await open({ maxRunning: 1 });
    id += 2;
    const first = id;
    one.send(call(first, WAIT, HI));
    await eventually('it to run', () => server.begun() === 1);
    expect(status(await ask(whole(ECHO, HI)))).to.equal('8 too many calls at once');
    server.release();
    await one.answer(first);
    expect(status(await ask(whole(ECHO, HI)))).to.equal('0');
  });

  it('keeps at most 5,000 bytes of unfinished messages of a connection', async () => {
    await open({ maxBufferedBytes: 5_000 });
    const begun = message(Buffer.alloc(4_000)).subarray(0, 3_000);
    id += 2;
    one.send(headers(id, rpcFields(ECHO)), data(id, begun));
    const first = id;
    expect(status(await ask(fields(ECHO), body(begun, false)))).to.equal('8 too many bytes of unfinished messages');
    one.send(data(first, Buffer.alloc(1_005), true));
    expect((await one.answer(first)).body.length).to.equal(4_005);
    expect(status(await ask(fields(ECHO), body(begun, false), body(Buffer.alloc(1_005))))).to.equal('0');
  });

  it('refuses a header list above 2,000 bytes, and serves the next call with the table in step', async () => {
    await open({ bounds: { maxHeaderListBytes: 2_000 } });
    expect(status(await ask(whole(ECHO, HI, 'x-long', 'y'.repeat(2_000))))).to.equal(
      '8 a header list of more than 2000 bytes',
    );
    expect(status(await ask(whole(ECHO, HI)))).to.equal('0');
  });

  describe('a call of streams', () => {
    it('sends back each message as it comes, before the caller has ended', async () => {
      await open();
      id += 2;
      one.send(headers(id, rpcFields(CHAT)));
      for (const text of ['one', 'two', 'three']) {
        one.send(data(id, message(Buffer.from(text))));
        expect((await one.next(FRAME.data, id)).payload.subarray(5).toString()).to.equal(text);
      }
      one.send(data(id, Buffer.alloc(0), true));
      expect(status(await one.answer(id))).to.equal('0');
    });

    it('answers 100 messages to one, and none to none', async () => {
      await open();
      expect((await ask(whole(MANY, Buffer.of(100)))).body.length).to.equal(600);
      expect(await ask((it) => headers(it, rpcFields(MANY), true))).to.deep.include({ body: Buffer.alloc(0) });
    });

    it('reads messages that lie across frames, gzip among them', async () => {
      await open();
      const all = Buffer.concat([message(gzipSync(HI), 1), message(HI), message(Buffer.alloc(0))]);
      const pieces = [all.subarray(0, 3), all.subarray(3, 30), all.subarray(30)];
      const frames = pieces.map((piece, i) => body(piece, i === 2));
      const answer = await ask(fields(CHAT, 'grpc-encoding', 'gzip'), ...frames);
      expect(answer.body.equals(Buffer.concat([message(HI), message(HI), message(Buffer.alloc(0))]))).to.equal(true);
    });

    it('tells a handler that its caller has gone, and ends its messages', async () => {
      const told: string[] = [];
      const serve = async (context: StreamContext) => {
        context.onCancelled(() => told.push(`cancelled ${context.cancelled}`));
        for await (const _ of context.messages) told.push('message');
        told.push('over');
        await context.send(HI);
        context.onCancelled(() => told.push('at once'));
      };
      await open({ methods: new Map([[CHAT, { kind: 'stream', serve }]]) });
      id += 2;
      one.send(headers(id, rpcFields(CHAT)), data(id, message(HI)));
      await eventually('it to run', () => told.length === 1);
      one.send(reset(id, 8));
      await eventually('it to end', () => told.length === 4);
      expect(told).to.deep.equal(['message', 'cancelled true', 'over', 'at once']);
    });

    it('ends with the status of a handler that fails in the middle', async () => {
      await open();
      const answer = await ask(fields(CHAT), body(Buffer.concat([message(HI), Buffer.of(7, 0, 0, 0, 0)])));
      expect(status(answer)).to.equal('13 a compressed flag of 7');
    });
  });

  describe('metadata', () => {
    it('comes and goes, text and bytes, with the headers and with the status', async () => {
      const seen: unknown[] = [];
      await open({
        methods: new Map([
          [
            ECHO,
            {
              kind: 'unary',
              async serve(bytes, context) {
                seen.push(context.metadata, context.peer, context.deadlineMs);
                context.addHeaders([['x-head', 'a']]);
                context.addTrailers([['x-tail-bin', Buffer.of(0xff, 0)]]);
                return bytes;
              },
            },
          ],
        ]),
      });
      const own = ['x-one', '1', 'x-two-bin', '/wA=', 'x-two-bin', 'AQ,Ag', 'user-agent', 'test'];
      const answer = await ask(whole(ECHO, HI, ...own));
      expect(answer.fields).to.include({ 'x-head': 'a', 'x-tail-bin': '/wA', 'grpc-status': '0' });
      expect(seen[0]).to.deep.equal([
        ['x-one', '1'],
        ['x-two-bin', Buffer.of(0xff, 0)],
        ['x-two-bin', Buffer.of(1)],
        ['x-two-bin', Buffer.of(2)],
        ['user-agent', 'test'],
      ]);
      expect(seen[1]).to.match(/^127\.0\.0\.1:\d+$/);
      expect(seen[2]).to.equal(null);
    });

    for (const [what, metadata] of [
      ['a name of the protocol', [['grpc-status', '0']]],
      ['a name in upper case', [['X-a', 'b']]],
      ['a line break', [['x-a', 'b\nc']]],
      ['bytes under a name of text', [['x-a', Buffer.of(1)]]],
    ] as const) {
      it(`answers INTERNAL where a handler would send ${what}`, async () => {
        await open({
          methods: new Map([
            [
              ECHO,
              {
                kind: 'unary',
                async serve(bytes, context) {
                  context.addTrailers(metadata);
                  return bytes;
                },
              },
            ],
          ]),
        });
        expect(status(await ask(whole(ECHO, HI)))).to.equal('13 internal error');
      });
    }

    it('goes out with an error, details among it', async () => {
      await open({
        statusOf: () => ({ code: 5, message: 'none', metadata: [['grpc-status-details-bin', Buffer.of(8, 5)]] }),
      });
      expect((await ask(whole(FAIL, HI))).fields).to.include({ 'grpc-status': '5', 'grpc-status-details-bin': 'CAU' });
    });

    it('answers INTERNAL where a handler answers no bytes, or throws before it promises', async () => {
      const broken = (serve: () => never) => new Map([[ECHO, { kind: 'unary', serve } as const]]);
      await open({ methods: broken(() => Promise.resolve('text') as never) });
      expect(status(await ask(whole(ECHO, HI)))).to.equal('13 internal error');
      await server.end();
      await open({
        methods: broken(() => {
          throw new TypeError('bug');
        }),
      });
      expect(status(await ask(whole(ECHO, HI)))).to.equal('13 internal error');
    });
  });

  describe('what is not gRPC', () => {
    const request = (method: string, ...more: string[]) => [
      ...[':method', method, ':scheme', 'http', ':path', '/', ':authority', 'x', ...more],
    ];

    it('gets 415 with a line of text, and HEAD without', async () => {
      await open();
      const answer = await ask((it) => headers(it, request('GET'), true));
      expect([answer.fields[':status'], answer.body.toString()]).to.deep.equal([
        '415',
        'This port takes application/grpc.\n',
      ]);
      const head = await ask((it) => headers(it, request('HEAD'), true));
      expect([head.fields[':status'], head.body.length]).to.deep.equal(['415', 0]);
      const json = await ask((it) => headers(it, request('POST', 'content-type', 'application/json')), body(HI));
      expect(json.fields[':status']).to.equal('415');
      const web = await ask((it) => headers(it, request('POST', 'content-type', 'application/grpc-web'), true));
      expect(web.fields[':status']).to.equal('415');
    });

    it('gets 405 when it is not POST, and takes a suffix and a parameter of the type', async () => {
      await open();
      const get = await ask((it) => headers(it, request('GET', 'content-type', 'application/grpc'), true));
      expect(get.fields[':status']).to.equal('405');
      for (const type of ['application/grpc+proto', 'application/grpc;x=y']) {
        const own = rpcFields(ECHO).map((text) => (text === 'application/grpc' ? type : text));
        expect(status(await ask((it) => headers(it, own), body(message(HI))))).to.equal('0');
      }
    });

    it('gets 415 for CONNECT', async () => {
      await open();
      const answer = await ask((it) => headers(it, [':method', 'CONNECT', ':authority', 'x:1'], true));
      expect(answer.fields[':status']).to.equal('415');
    });
  });

  it('says which listener is taken, and leaves none open', async () => {
    await open();
    const { port } = server;
    const second = wireServer({
      listeners: [{ host: '127.0.0.1' }, { host: '127.0.0.1', port }],
      methods: new Map(),
      statusOf: () => ({ code: 13, message: '' }),
    });
    const error = await second.start().then(
      () => null,
      (e: Error) => e.message,
    );
    expect(error).to.match(/EADDRINUSE/);
    await eventually('both to be closed', () => second.addresses().length === 0);
  });
});
