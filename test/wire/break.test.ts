import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { FRAME, PREFACE, uint31 } from '../../src/wire/http2/frame.ts';
import { CHAT, ECHO, inProcess } from './bed.ts';
import {
  call,
  data,
  frame,
  GREETING,
  headers,
  message,
  rpcFields,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from './peer.ts';

const HI = Buffer.from('hi');
const PING = frame(FRAME.ping, 0, 0, Buffer.alloc(8));

interface Said {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

function framesOf(bytes: Buffer): Said[] {
  const frames: Said[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: uint31(bytes, at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

const many = (times: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: times }, (_, i) => make(i)));

describe('what is unusual on wire, and allowed', () => {
  it('takes 10,000 control frames an hour for days without a request, and 4,001 at once ends it', () => {
    const { connection, errors, hear } = inProcess();
    let nowMs = Date.now();
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

  it('is not hurt by a clock that is set back by an hour', () => {
    const { connection, errors, hear } = inProcess({ bounds: { maxControlFrames: { burst: 10, perSecond: 10 } } });
    let nowMs = Date.now();
    connection.nowMs = () => nowMs;
    hear(
      GREETING,
      many(10, () => PING),
    );
    nowMs += 1_000;
    hear(many(9, () => PING));
    nowMs -= 3_600_000;
    for (let i = 0; i < 20; i++) {
      nowMs += 200;
      hear(PING);
    }
    expect(errors).to.deep.equal([]);
  });

  it('takes a PING and two WINDOW_UPDATE for each of 6,000 messages of a stream, as grpc-go sends them', async () => {
    const { connection, errors, hear } = inProcess();
    const nowMs = Date.now();
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
});
