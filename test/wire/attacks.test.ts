import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import type { Bounds } from '../../src/wire/http2/bounds.ts';
import { CODE, FLAG, FRAME, PREFACE } from '../../src/wire/http2/frame.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { ECHO } from './bed.ts';
import { MADE_RESETS } from './made-resets.ts';
import {
  call,
  data,
  frame,
  GREETING,
  headers,
  type Peer,
  peer,
  reset,
  rpcFields,
  SETTINGS,
  settings,
  windowUpdate,
} from './peer.ts';

const NEVER = '/test.T/Never';
const HI = Buffer.from('hi');
const MOST_GROWTH_BYTES = 96 * 1024 * 1024;
const PAGE_BYTES = 4_096;
/** Far more than any bound lets through. */
const MOST_SENT_BYTES = 200_000_000;

interface EchoServer {
  readonly process: OwnProcess;
  readonly port: number;
}

async function echoServer(bounds: Partial<Bounds>): Promise<EchoServer> {
  const port = await freePort();
  const echo = fileURLToPath(new URL('echo.ts', import.meta.url));
  const args = ['--import=tsx', echo, String(port), JSON.stringify(bounds)];
  const server = await ownProcess({ name: 'echo', command: process.execPath, args });
  await eventually('it to listen', () => server.output().includes('ready'));
  return { process: server, port };
}

function rssBytes({ pid }: OwnProcess): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

describe('attacks on wire', () => {
  let server: OwnProcess;
  let port: number;
  let bystander: Peer;
  let bystanderId = -1;
  let rssBefore = 0;

  before(async () => {
    ({ process: server, port } = await echoServer({ handshakeTimeoutMs: 1_500, stallTimeoutMs: 1_500 }));
    bystander = await peer(port);
    bystander.send(GREETING);
    bystander.send(many(4_000, (i) => call(2 * i + 1, ECHO, HI)));
    await bystander.answer(7_999);
    bystanderId = 7_999;
    rssBefore = rssBytes(server);
  });

  after(async () => {
    bystander.close();
    await server.stop();
  });

  afterEach('the bystander is served, and memory is flat', async () => {
    await isServed();
    expect(server.running()).to.equal(true);
    expect(rssBytes(server) - rssBefore).to.be.lessThan(MOST_GROWTH_BYTES);
  });

  async function isServed(): Promise<void> {
    bystanderId += 2;
    bystander.send(call(bystanderId, ECHO, HI));
    expect((await bystander.answer(bystanderId)).fields['grpc-status']).to.equal('0');
  }

  /** Sends what `next` makes as fast as it is taken until the server has enough; the code it says then. */
  async function flood(next: (round: number) => Buffer, ...first: readonly Buffer[]): Promise<number | null> {
    const attacker = await peer(port, ({ type }) => type === FRAME.goaway);
    attacker.send(GREETING, ...first);
    let sent = 0;
    for (let round = 0; !attacker.closed() && sent < MOST_SENT_BYTES; round++) {
      const bytes = next(round);
      sent += bytes.length;
      if (!attacker.socket.write(bytes)) await drainedOrClosed(attacker);
      if (round % 50 === 0) await isServed();
    }
    expect(sent).to.be.lessThan(MOST_SENT_BYTES);
    return attacker.farewell();
  }

  function drainedOrClosed({ socket }: Peer): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of ['drain', 'close']) socket.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'close']) socket.on(event, done);
      if (socket.destroyed) done();
    });
  }

  const many = (times: number, make: (i: number) => Buffer): Buffer =>
    Buffer.concat(Array.from({ length: times }, (_, i) => make(i)));
  const openStream = headers(1, rpcFields(ECHO));

  it('rapid reset (CVE-2023-44487): streams opened and reset lose the connection', async () => {
    const request = encodeBlock(rpcFields(NEVER));
    const code = await flood((round) =>
      many(500, (i) => {
        const id = 2 * (round * 500 + i) + 1;
        return Buffer.concat([frame(FRAME.headers, FLAG.endHeaders, id, request), reset(id, CODE.cancel)]);
      }),
    );
    expect(code).to.equal(CODE.enhanceYourCalm);
  });

  it('rapid reset of whole calls begins none of them', async () => {
    const code = await flood((round) =>
      many(500, (i) => {
        const id = 2 * (round * 500 + i) + 1;
        return Buffer.concat([call(id, NEVER, HI), reset(id, CODE.cancel)]);
      }),
    );
    expect(code).to.equal(CODE.enhanceYourCalm);
  });

  for (const [what, made] of MADE_RESETS) {
    it(`MadeYouReset (CVE-2025-8671): streams that the server is made to reset by ${what}`, async () => {
      const code = await flood((round) => many(50, (i) => made(2 * (round * 50 + i) + 1, NEVER)));
      expect(code).to.equal(CODE.enhanceYourCalm);
    });
  }

  it('CONTINUATION flood (CVE-2024-27316): a block that never ends', async () => {
    const begun = frame(FRAME.headers, 0, 1, Buffer.of(0x82));
    const one = frame(FRAME.continuation, 0, 1, Buffer.alloc(100, 0x82));
    expect(await flood(() => many(100, () => one), begun)).to.equal(CODE.enhanceYourCalm);
    const empty = frame(FRAME.continuation, 0, 1);
    expect(await flood(() => many(100, () => empty), begun)).to.equal(CODE.enhanceYourCalm);
  });

  it('HPACK bomb: a byte for 4 kB of header, 16,000 times', async () => {
    const value = Buffer.alloc(4_000, 0x61);
    const entry = Buffer.concat([Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e), value]);
    const block = Buffer.concat([entry, Buffer.alloc(12_000, 0xbe)]);
    const code = await flood((round) => frame(FRAME.headers, FLAG.endHeaders, 2 * round + 1, block));
    expect(code).to.equal(CODE.enhanceYourCalm);
  });

  it('a header block of 300 kB', async () => {
    const begun = frame(FRAME.headers, 0, 1, Buffer.alloc(16_000, 0x82));
    const more = frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000, 0x82));
    expect(await flood(() => more, begun)).to.equal(CODE.enhanceYourCalm);
  });

  for (const [what, one] of [
    ['SETTINGS', settings([4, 65_535])],
    ['SETTINGS that move every window', Buffer.concat([settings([4, 1]), settings([4, 2])])],
    ['acknowledgements of SETTINGS', frame(FRAME.settings, FLAG.ack, 0)],
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['answers to no PING', frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8))],
    ['PRIORITY', frame(FRAME.priority, 0, 1, Buffer.alloc(5))],
    ['WINDOW_UPDATE', windowUpdate(0, 1)],
    ['WINDOW_UPDATE on a stream', windowUpdate(1, 1)],
    ['empty DATA', data(1, Buffer.alloc(0))],
    ['DATA of padding alone', frame(FRAME.data, FLAG.padded, 1, Buffer.of(3, 0, 0, 0))],
    ['frames of an unknown type', frame(0xee, 0, 0)],
  ] as const) {
    it(`a flood of ${what}`, async () => {
      expect(await flood(() => many(500, () => one), openStream)).to.equal(CODE.enhanceYourCalm);
    });
  }

  it('a flood of RST_STREAM for a stream that is over', async () => {
    const over = Buffer.concat([openStream, reset(1, CODE.cancel)]);
    expect(await flood(() => many(500, () => reset(1, CODE.cancel)), over)).to.equal(CODE.enhanceYourCalm);
  });

  it('a window of 0 that stays shut: 4,096 answers wait for 1.5 s, then the connection is lost', async () => {
    const attacker = await peer(port);
    attacker.send(PREFACE, settings([4, 0]), frame(FRAME.settings, FLAG.ack, 0));
    attacker.send(many(6_000, (i) => call(2 * i + 1, ECHO, Buffer.alloc(100))));
    // The streams beyond 4,096 are refused.
    await eventually('streams to be refused', () => attacker.heard.some(({ type }) => type === FRAME.rstStream));
    await isServed();
    expect(await attacker.farewell()).to.equal(CODE.enhanceYourCalm);
  });

  it('a window that opens by a byte for each byte that comes', async () => {
    const attacker = await peer(port);
    attacker.send(PREFACE, settings([4, 1]), frame(FRAME.settings, FLAG.ack, 0), call(1, ECHO, Buffer.alloc(16_000)));
    let bytes = 0;
    attacker.socket.on('data', () => {
      const got = attacker.heard.filter(({ type }) => type === FRAME.data).length;
      for (; bytes < got; bytes++) attacker.send(windowUpdate(1, 1));
    });
    expect(await attacker.farewell()).to.equal(CODE.enhanceYourCalm);
    expect(bytes).to.be.within(1, 15_999);
  });

  it('a client that never reads: the server stops reading, and lets it go after 1.5 s', async () => {
    const attacker = await peer(port);
    attacker.send(GREETING, settings([4, 0x7fff_ffff]), windowUpdate(0, 0x7fff_0000));
    await attacker.next(FRAME.settings);
    attacker.socket.pause();
    const bytes = Buffer.alloc(2_000);
    // Kernel buffers take some megabytes both ways; then nothing moves, and only a write finds out about the end.
    let waits = 0;
    for (let id = 1; !attacker.closed() && id < 200_000; id += 200) {
      const chunk = many(100, (i) => call(id + 2 * i, ECHO, bytes));
      if (attacker.socket.write(chunk)) continue;
      waits++;
      const drained = drainedOrClosed(attacker);
      await isServed();
      await drained;
    }
    expect(attacker.closed()).to.equal(true);
    expect(waits).to.be.greaterThan(0);
    expect(rssBytes(server) - rssBefore).to.be.lessThan(MOST_GROWTH_BYTES);
  });

  it('a connection that never speaks, one without its SETTINGS, and one without an ACK, after 1.5 s', async () => {
    const silent = connect(port, '127.0.0.1');
    const silentClosed = once(silent.resume(), 'close');
    const shy = await peer(port);
    shy.send(PREFACE);
    const rude = await peer(port);
    rude.send(PREFACE, SETTINGS);
    const slow = await peer(port);
    slow.send(PREFACE.subarray(0, 20));
    const codes = [await shy.farewell(), await rude.farewell(), await slow.farewell()];
    expect(codes).to.deep.equal([CODE.settingsTimeout, CODE.settingsTimeout, null]);
    await silentClosed;
  });

  it('a block of headers that is never finished', async () => {
    const block = await peer(port);
    block.send(GREETING, frame(FRAME.headers, 0, 1, Buffer.of(0x82)));
    expect(await block.farewell()).to.equal(CODE.enhanceYourCalm);
  });

  it('300 connections whose other ends are gone: each is cut when it answers no PING, and one that answers stays', async () => {
    const keepalive = await echoServer({ keepaliveTimeMs: 500, keepaliveTimeoutMs: 1_000 });
    try {
      const alive = await peer(keepalive.port, ({ type, flags }) => {
        if (type === FRAME.ping && flags === 0) alive.send(frame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8)));
        return type !== FRAME.ping;
      });
      alive.send(GREETING);
      const gone = await Promise.all(Array.from({ length: 300 }, () => peer(keepalive.port)));
      const before = rssBytes(keepalive.process);
      for (const one of gone) one.send(GREETING, headers(1, rpcFields(NEVER)));
      const codes = await Promise.all(gone.map((one) => one.farewell()));
      // Nobody is there to hear a GOAWAY.
      expect(new Set(codes)).to.deep.equal(new Set([null]));
      for (const one of gone) expect(one.heard.some(({ type }) => type === FRAME.ping)).to.equal(true);
      alive.send(call(1, ECHO, HI));
      expect((await alive.answer(1)).fields['grpc-status']).to.equal('0');
      expect(rssBytes(keepalive.process) - before).to.be.lessThan(MOST_GROWTH_BYTES);
      alive.close();
    } finally {
      await keepalive.process.stop();
    }
  });

  it('500 connections that begin a frame of 16 kB and never end it', async () => {
    const begun = Buffer.concat([GREETING, openStream, Buffer.of(0, 0x40, 0, 0, 0, 0, 0, 0, 1), Buffer.alloc(100)]);
    const peers = await Promise.all(Array.from({ length: 500 }, () => peer(port)));
    for (const one of peers) one.send(begun);
    await isServed();
    for (const one of peers) one.close();
  });
});
