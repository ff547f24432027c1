import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Bounds } from '../../src/wire/http2/bounds.ts';
import { CODE, type ConnectionError, FLAG, FRAME, PREFACE } from '../../src/wire/http2/frame.ts';
import type { RpcOptions } from '../../src/wire/rpc/service.ts';
import { ECHO, IDLE, type InProcess, inProcess, WAIT, wholeMs } from './bed.ts';
import { MADE_RESETS } from './made-resets.ts';
import {
  call,
  data,
  frame,
  framesOf,
  GREETING,
  headers,
  message,
  PING,
  reset,
  rpcFields,
  SETTINGS,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from './peer.ts';

const HI = Buffer.from('hi');
const NOTHING = Buffer.alloc(0);
/** So many at once, and next to none a second. */
const few = (burst: number) => ({ burst, perSecond: 1e-6 });

/** Why it was ended; null while it goes on. */
function endedBy({ errors }: InProcess): string | null {
  const [error] = errors;
  return error === undefined ? null : (error as ConnectionError).reason;
}

/** The payloads of frames of a type on a stream. */
function saidFrames(one: InProcess, type: number, id: number): Buffer[] {
  const found = framesOf(one.said()).filter((it) => it.type === type && it.id === id);
  return found.map(({ payload }) => payload);
}

interface Counted {
  readonly what: string;
  readonly reason: string;
  readonly bounds: (most: number) => Partial<Bounds>;
  readonly first?: Buffer;
  /** Comes in a read of its own before each that is counted. */
  readonly before?: (i: number) => Buffer;
  readonly one: (i: number) => Buffer;
}

describe('bounds of a connection', () => {
  const counted: readonly Counted[] = [
    { what: 'PING', reason: 'max_control_frames', bounds: (n) => ({ maxControlFrames: few(n) }), one: () => PING },
    {
      what: 'WINDOW_UPDATE',
      reason: 'max_control_frames',
      bounds: (n) => ({ maxControlFrames: few(n) }),
      one: () => windowUpdate(0, 1),
    },
    {
      what: 'SETTINGS, of 20 control frames each,',
      reason: 'max_control_frames',
      bounds: (n) => ({ maxControlFrames: few(20 * n) }),
      one: () => settings([4, 65_535]),
    },
    {
      what: 'call that is taken back at once',
      reason: 'max_resets',
      bounds: (n) => ({ maxResets: few(n) }),
      one: (i) => Buffer.concat([call(2 * i + 1, ECHO, HI), reset(2 * i + 1, 8)]),
    },
    {
      what: 'call that is taken back before its message has come, in whatever read,',
      reason: 'max_resets',
      bounds: (n) => ({ maxResets: few(n) }),
      before: (i) => headers(2 * i + 1, rpcFields(ECHO)),
      one: (i) => reset(2 * i + 1, 8),
    },
    ...MADE_RESETS.map(
      ([what, made]) =>
        ({
          what: `call that we are made to reset by ${what}`,
          reason: 'max_stream_errors',
          bounds: (n) => ({ maxStreamErrors: few(n) }),
          one: (i) => made(2 * i + 1, WAIT),
        }) satisfies Counted,
    ),
    {
      what: 'CONTINUATION',
      reason: 'max_continuations',
      bounds: (maxContinuations) => ({ maxContinuations }),
      first: frame(FRAME.headers, 0, 1, Buffer.of(0x82)),
      one: () => frame(FRAME.continuation, 0, 1, Buffer.of(0x82)),
    },
  ];
  for (const { what, reason, bounds, first = NOTHING, before = () => NOTHING, one } of counted) {
    for (const most of [3, 50]) {
      it(`takes ${most} where ${reason} says so, and ends with the next: ${what}`, () => {
        const connection = inProcess({ bounds: bounds(most) });
        connection.hear(GREETING, first);
        const say = (i: number) => {
          connection.hear(before(i));
          connection.hear(one(i));
        };
        for (let i = 0; i < most; i++) say(i);
        expect(endedBy(connection)).to.equal(null);
        say(most);
        expect(endedBy(connection)).to.equal(reason);
      });
    }
  }

  it('counts no reset of 100 calls that are being served, as Envoy resets those that time out', () => {
    const methods: RpcOptions['methods'] = new Map([[WAIT, { kind: 'unary', serve: () => new Promise(() => {}) }]]);
    const one = inProcess({ bounds: { maxResets: few(1) }, calls: { methods } });
    one.hear(GREETING);
    for (let i = 0; i < 100; i++) {
      one.hear(call(2 * i + 1, WAIT, HI));
      one.hear(reset(2 * i + 1, CODE.internalError));
    }
    expect([endedBy(one), one.connection.orphans]).to.deep.equal([null, 100]);
  });

  it('refuses a list of more than 500 bytes of header, and ends at one of more than 8,000', () => {
    const long = (id: number, bytes: number) => headers(id, rpcFields(ECHO, 'x-long', 'y'.repeat(bytes)), true);
    const one = inProcess({ bounds: { maxHeaderListBytes: 500 } });
    one.hear(GREETING, long(1, 10), long(3, 7_000));
    expect([one.refused, endedBy(one)]).to.deep.equal([['max_header_list_bytes'], null]);
    one.hear(long(5, 8_000));
    expect(endedBy(one)).to.equal('max_header_list_bytes');
    const other = inProcess({ bounds: { maxHeaderListBytes: 1_000 } });
    other.hear(GREETING, long(1, 8_000));
    expect(endedBy(other)).to.equal(null);
  });

  it('stops reading at 1,000 unsent bytes, and ends when they are not taken within 200 ms', async () => {
    const bounds = { maxUnsentBytes: 1_000, stallTimeoutMs: 200 };
    for (const [bytes, full] of [
      [100, false],
      [1_000, true],
    ] as const) {
      const one = inProcess({ bounds });
      one.hold();
      one.hear(GREETING, call(1, ECHO, Buffer.alloc(bytes)));
      await turn();
      await turn();
      const now = wholeMs();
      expect(one.connection.backedUp).to.equal(full);
      expect(one.connection.socket.isPaused()).to.equal(full);
      one.connection.life.tick(now + 199 - 1_000);
      expect(endedBy(one)).to.equal(null);
      one.connection.life.tick(now + 200);
      expect(endedBy(one)).to.equal(full ? 'stall_timeout' : null);
    }
  });

  describe('in time', () => {
    const times: readonly {
      readonly what: string;
      readonly reason: string;
      readonly bounds: (ms: number) => Partial<Bounds>;
      readonly said: readonly Buffer[];
    }[] = [
      { what: 'no word', reason: 'handshake_timeout', bounds: (ms) => ({ handshakeTimeoutMs: ms }), said: [] },
      {
        what: 'a preface alone',
        reason: 'handshake_timeout',
        bounds: (ms) => ({ handshakeTimeoutMs: ms }),
        said: [PREFACE],
      },
      {
        what: 'no ACK of our SETTINGS',
        reason: 'handshake_timeout',
        bounds: (ms) => ({ handshakeTimeoutMs: ms }),
        said: [PREFACE, SETTINGS],
      },
      {
        what: 'half a block of headers',
        reason: 'handshake_timeout',
        bounds: (ms) => ({ handshakeTimeoutMs: ms }),
        said: [GREETING, frame(FRAME.headers, 0, 1, Buffer.of(0x82))],
      },
      {
        what: 'a window that stays shut',
        reason: 'stall_timeout',
        bounds: (ms) => ({ stallTimeoutMs: ms }),
        said: [PREFACE, settings([4, 0]), SETTINGS_ACK, call(1, ECHO, HI)],
      },
    ];
    for (const { what, reason, bounds, said } of times) {
      for (const ms of [1_000, 5_000]) {
        it(`is kept for ${ms} ms by ${reason} with ${what}, and no longer`, async () => {
          const before = wholeMs();
          const one = inProcess({ bounds: bounds(ms) });
          if (said.length > 0) one.hear(...said);
          await turn();
          one.connection.life.tick(before + ms - 1);
          expect(endedBy(one)).to.equal(null);
          one.connection.life.tick(wholeMs() + ms);
          expect(endedBy(one)).to.equal(reason);
        });
      }
    }

    it('is pinged after 1,000 ms of silence and ended 500 ms later, unless it answers', async () => {
      for (const answers of [true, false]) {
        const one = inProcess({ bounds: { keepaliveTimeMs: 1_000, keepaliveTimeoutMs: 500 } });
        one.hear(GREETING);
        const now = wholeMs();
        one.connection.life.tick(now + 1_000);
        await turn();
        expect(saidFrames(one, FRAME.ping, 0)).to.have.length(1);
        if (answers) one.hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)));
        one.connection.life.tick(now + 1_499);
        expect(endedBy(one)).to.equal(null);
        one.connection.life.tick(now + 1_500);
        expect(endedBy(one)).to.equal(answers ? null : 'keepalive_timeout');
      }
    });

    it('is kept for a year without a call, while it answers its pings', async () => {
      const one = inProcess();
      one.hear(GREETING);
      const now = wholeMs();
      for (let day = 1; day <= 365; day++) {
        one.connection.life.tick(now + day * 86_400_000);
        one.hear(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)));
      }
      await turn();
      expect([endedBy(one), one.connection.ended]).to.deep.equal([null, false]);
      expect(saidFrames(one, FRAME.goaway, 0)).to.have.length(0);
    });

    it('is told to go between 900 and 1,100 s old, each at a time of its own, and only when a call comes', async () => {
      const began = wholeMs();
      const ones = Array.from({ length: 200 }, () =>
        inProcess({ bounds: { maxAgeMs: 1_000_000, keepaliveTimeMs: 0 } }),
      );
      const told = (one: InProcess) => one.connection.life.drainingSinceMs > 0;
      const tick = (ms: number) => {
        for (const one of ones) one.connection.life.tick(ms);
        return ones.filter(({ connection }) => connection.life.old).length;
      };
      for (const one of ones) one.hear(GREETING);
      expect(tick(began + 899_000)).to.equal(0);
      expect(tick(began + 1_000_000)).to.be.within(20, 180);
      expect(tick(wholeMs() + 1_100_001)).to.equal(200);
      expect(ones.filter(told)).to.have.length(0);
      for (const one of ones) one.hear(call(1, ECHO, HI));
      expect(ones.filter(told)).to.have.length(200);
      await turn();
      await turn();
      for (const one of ones) expect(saidFrames(one, FRAME.data, 1)).to.deep.equal([message(HI)]);
    });

    it('is cut when its calls outlive a grace of 500 ms, and never where the grace is 0', () => {
      for (const [maxAgeGraceMs, reason] of [
        [500, 'max_connection_age_grace'],
        [0, null],
      ] as const) {
        const one = inProcess({ bounds: { maxAgeMs: 1_000, maxAgeGraceMs } });
        one.hear(GREETING, call(1, IDLE, HI));
        const old = wholeMs() + 1_101;
        one.connection.life.tick(old);
        one.connection.life.tick(old + 499);
        expect([one.connection.life.drainingSinceMs > 0, endedBy(one)]).to.deep.equal([true, null]);
        one.connection.life.tick(old + 500);
        one.connection.life.tick(old + 10_000_000);
        expect(endedBy(one)).to.equal(reason);
      }
    });
  });

  describe('of calls', () => {
    const never = () => new Promise<Uint8Array>(() => {});
    const methods: RpcOptions['methods'] = new Map([
      [WAIT, { kind: 'unary', serve: never }],
      [ECHO, { kind: 'unary', serve: async (bytes: Uint8Array) => bytes }],
    ]);

    for (const most of [2, 20]) {
      it(`refuses beyond ${most} calls of a connection, and beyond ${most} of all`, () => {
        const waiting = (n: number) => Array.from({ length: n }, (_, i) => call(2 * i + 1, WAIT, HI));
        const streams = inProcess({ bounds: { maxConcurrentStreams: most }, calls: { methods } });
        const running = inProcess({ calls: { methods, maxRunning: most } });
        for (const one of [streams, running]) {
          one.hear(GREETING, ...waiting(most));
          expect(one.refused).to.deep.equal([]);
          one.hear(call(1_001, ECHO, HI));
        }
        expect([streams.refused, running.refused]).to.deep.equal([['max_streams'], ['max_running_calls']]);
      });
    }

    it('refuses while more than 1,000 bytes wait for a window, and not once their calls have gone', async () => {
      const one = inProcess({ bounds: { maxBlockedBytes: 1_000 } });
      one.hear(PREFACE, settings([4, 0]), SETTINGS_ACK, call(1, ECHO, Buffer.alloc(900)));
      await turn();
      one.hear(call(3, ECHO, Buffer.alloc(900)));
      await turn();
      expect(one.refused).to.deep.equal([]);
      one.hear(call(5, ECHO, HI));
      expect(one.refused).to.deep.equal(['max_blocked_bytes']);
      one.hear(reset(1, CODE.cancel), reset(3, CODE.cancel), call(7, ECHO, HI));
      expect([one.refused.length, one.connection.sender.blockedBytes]).to.deep.equal([1, 0]);
    });

    for (const [what, bound, calls] of [
      ['of a connection', 'max_buffered_bytes', { maxBufferedBytes: 5_000 }],
      ['of all', 'max_buffered_bytes_of_all', { maxBufferedBytesOfAll: 5_000 }],
    ] as const) {
      it(`refuses beyond 5,000 bytes of unfinished messages ${what}`, () => {
        const one = inProcess({ calls });
        const half = (id: number) => [
          headers(id, rpcFields(ECHO)),
          data(id, message(Buffer.alloc(4_000)).subarray(0, 3_000)),
        ];
        one.hear(GREETING, ...half(1));
        expect(one.refused).to.deep.equal([]);
        one.hear(...half(3));
        expect(one.refused).to.deep.equal([bound]);
      });

      it(`takes what waits ${what} as gone when its call is reset, whole messages and halves`, () => {
        const one = inProcess({ calls });
        const whole = message(Buffer.alloc(1_000));
        const begun = (id: number) => headers(id, rpcFields(ECHO));
        one.hear(GREETING, begun(1), data(1, whole), begun(3), data(3, whole.subarray(0, 900)));
        expect(one.connection.bufferedBytes).to.be.greaterThan(2_000);
        one.hear(reset(1, CODE.cancel), reset(3, CODE.cancel));
        expect([one.connection.bufferedBytes, one.service.bufferedBytes]).to.deep.equal([0, 0]);
      });
    }

    for (const [what, calls, refused] of [
      ['of a connection', { maxBufferedBytes: 10_000 }, 'max_buffered_bytes'],
      ['of all', { maxBufferedBytesOfAll: 10_000 }, 'max_buffered_bytes_of_all'],
    ] as const) {
      it(`refuses beyond 10,000 bytes of long header lists ${what}, and takes one again when a call has gone`, async () => {
        const one = inProcess({ calls: { ...calls, methods } });
        const long = (id: number) => headers(id, rpcFields(WAIT, 'x-long', 'y'.repeat(4_000)));
        one.hear(GREETING, long(1), long(3), data(3, message(HI), true));
        expect([one.refused, one.connection.bufferedBytes > 8_000]).to.deep.equal([[], true]);
        one.hear(long(5));
        expect(one.refused).to.deep.equal([refused]);
        // Short ones cost no more than the calls that they are of.
        one.hear(call(7, ECHO, HI));
        one.hear(reset(1, CODE.cancel), long(9));
        expect(one.refused).to.have.length(1);
        // The handler of the other goes on though its caller has gone, and may still read its fields.
        one.hear(reset(3, CODE.cancel), long(11));
        expect(one.refused).to.have.length(2);
        one.connection.socket.destroy();
        await turn();
        await turn();
        expect(one.connection.bufferedBytes).to.be.within(4_000, 5_000);
      });
    }

    it('holds a long header list no longer than its call', async () => {
      const one = inProcess({ calls: { methods } });
      one.hear(GREETING, call(1, ECHO, HI, 'x-long', 'y'.repeat(4_000)));
      expect(one.connection.bufferedBytes).to.be.within(4_000, 5_000);
      await turn();
      expect([one.connection.bufferedBytes, one.service.bufferedBytes]).to.deep.equal([0, 0]);
    });

    it('refuses a message that has not arrived within 1,000 ms', () => {
      const one = inProcess({ calls: { requestTimeoutMs: 1_000 } });
      const before = wholeMs();
      one.hear(GREETING, headers(1, rpcFields(ECHO)));
      one.connection.life.tick(before + 999);
      expect(one.refused).to.deep.equal([]);
      one.connection.life.tick(wholeMs() + 1_000);
      expect(one.refused).to.deep.equal(['request_timeout']);
    });
  });

  it('gives the window of 16 MiB back in batches of 8 MiB, so that 40 MB in frames of 16 kB never find it dry', async () => {
    const one = inProcess();
    one.hear(GREETING, headers(1, rpcFields('/test.T/None')));
    await turn();
    const piece = data(1, Buffer.alloc(16_384));
    for (let sent = 16_384; sent < 40_000_000; sent += 16_384) {
      one.hear(piece);
      if (sent % (16_384 * 64) === 0) await turn();
    }
    await turn();
    const given = saidFrames(one, FRAME.windowUpdate, 0).map((payload) => payload.readUInt32BE());
    const batch = 8 * 1024 * 1024;
    expect(given).to.deep.equal([16 * 1024 * 1024 - 65_535, batch, batch, batch, batch]);
    expect(endedBy(one)).to.equal(null);
  });
});
