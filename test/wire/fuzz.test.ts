import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { FLAG, FRAME } from '../../src/wire/http2/frame.ts';
import { megabytes, results } from '../soak/results.ts';
import { CHAT, ECHO, type InProcess, inProcess, WAIT } from './bed.ts';
import {
  call,
  data,
  frame,
  framesOf,
  GREETING,
  headers,
  message,
  reset,
  rpcFields,
  settings,
  windowUpdate,
} from './peer.ts';

/** Connections that are made and talked to. */
const SOAK = process.env.SOAK === '1';
const RUNS = Number(process.env.WIRE_FUZZ_RUNS || (SOAK ? 1_000_000 : 50_000));
/** Set it to the seed that a failure tells. */
const SEED = Number(process.env.WIRE_FUZZ_SEED || Math.floor(Math.random() * 2 ** 31));
const CHUNK = 1_000;
/** In half a million conversations; what fast-check leaves lying about is the most of it. */
const MOST_GROWTH_BYTES = 64_000_000;

const PATHS = [ECHO, WAIT, CHAT, '/test.T/None'];
const smallBytes = fc.uint8Array({ maxLength: 40 });
const id = fc.oneof(fc.nat(12), fc.constantFrom(0, 1, 3, 5, 0x7fff_ffff));

/** Moves that a client may make, in any order, on any stream. */
const lawful = fc.oneof(
  fc
    .record({ id, path: fc.constantFrom(...PATHS), end: fc.boolean() })
    .map((it) => headers(it.id, rpcFields(it.path), it.end)),
  fc.record({ id, bytes: smallBytes, end: fc.boolean() }).map((it) => data(it.id, message(it.bytes), it.end)),
  fc.record({ id, more: fc.nat(0x7fff_ffff) }).map((it) => windowUpdate(it.id, it.more)),
  fc.record({ id, code: fc.nat(14) }).map((it) => reset(it.id, it.code)),
  fc.record({ key: fc.nat(8), value: fc.nat(0x7fff_ffff) }).map((it) => settings([it.key, it.value])),
  fc.record({ id, path: fc.constantFrom(...PATHS), bytes: smallBytes }).map((it) => call(it.id, it.path, it.bytes)),
);
const anyFrame = fc
  .record({ type: fc.nat(11), flags: fc.nat(255), id, payload: smallBytes })
  .map((it) => frame(it.type, it.flags, it.id, it.payload));
/** Blocks of any fields, and of any bytes, cut into CONTINUATION frames. */
const anyBlock = fc
  .record({
    id,
    fields: fc.array(fc.constantFrom(':method', 'POST', ':path', ECHO, 'te', 'x', '', 'content-length', '7'), {
      maxLength: 12,
    }),
    raw: fc.option(smallBytes),
    cut: fc.nat(60),
  })
  .map((it) => {
    const fields = it.fields.length % 2 === 0 ? it.fields : it.fields.slice(1);
    const block = it.raw === null ? encodeBlock(fields) : Buffer.from(it.raw);
    const first = frame(FRAME.headers, 0, it.id, block.subarray(0, it.cut));
    return Buffer.concat([first, frame(FRAME.continuation, FLAG.endHeaders, it.id, block.subarray(it.cut))]);
  });

const talk = fc.record({
  moves: fc.array(fc.oneof({ weight: 4, arbitrary: lawful }, anyFrame, anyBlock, smallBytes), { maxLength: 12 }),
  greets: fc.integer({ min: 0, max: 20 }).map((n) => n > 0),
  /** Bytes that are changed: where, counted from the end of the greeting, and to what. */
  mutations: fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 3 }),
  truncate: fc.option(fc.nat(600)),
  cuts: fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 20 }),
});

function bytesOf({
  moves,
  greets,
  mutations,
  truncate,
}: typeof talk extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const said = Buffer.concat(moves);
  for (const [at, value] of mutations) if (at < said.length) said[at] = value;
  const whole = truncate === null ? said : said.subarray(0, truncate);
  return greets ? Buffer.concat([GREETING, whole]) : whole;
}

function hearInPieces(one: InProcess, bytes: Buffer, cuts: readonly number[]): void {
  let at = 0;
  for (const cut of cuts) {
    if (at >= bytes.length) return;
    one.hear(bytes.subarray(at, at + cut));
    at += cut;
  }
  if (at < bytes.length) one.hear(bytes.subarray(at));
}

/** What is still held for conversations whose sockets were destroyed. */
async function leftOf(ones: readonly InProcess[]): Promise<readonly object[]> {
  for (const { connection } of ones) connection.socket.destroy();
  // Handlers see that their callers have gone.
  for (let i = 0; i < 5; i++) await turn();
  return ones
    .map(({ connection, service }) => ({
      streams: connection.streams.size,
      orphans: connection.orphans,
      bufferedBytes: connection.bufferedBytes,
      bufferedBytesOfAll: service.bufferedBytes,
      blockedBytes: connection.sender.blockedBytes,
      running: service.running,
      streaming: service.streaming,
    }))
    .filter((left) => Object.values(left).some((it) => it !== 0));
}

describe('wire under random bytes', function () {
  this.timeout(60_000 + RUNS * 5);
  const half = Math.floor(RUNS / 2);
  const { figure, write } = results('wire under random bytes');
  let bytes = 0;
  let rssAtATenth = 0;

  after(function () {
    if (SOAK && !this.test?.parent?.tests.some((it) => it.isFailed())) write();
  });

  /** Says how things stand after so many conversations of a test. */
  function progress(done: number, of: number): void {
    if (done === Math.floor(of / 10 / CHUNK) * CHUNK) rssAtATenth = process.memoryUsage.rss();
  }

  function tell(what: string, conversations: number): void {
    if (!SOAK) return;
    const rss = process.memoryUsage.rss();
    figure(what, conversations);
    figure('of bytes, by the seed', `${bytes.toLocaleString('en')}, ${SEED}`);
    figure('RSS after a tenth of them, at the end', [rssAtATenth, rss].map(megabytes).join(', '));
    bytes = 0;
    expect(rss - rssAtATenth, 'bytes of growth').to.be.below(MOST_GROWTH_BYTES);
  }

  it(`keeps its head in ${half} conversations of lawful, random, changed and cut frames`, async () => {
    const fates: Record<string, number> = {};
    for (let done = 0; done < half; done += CHUNK) {
      progress(done, half);
      const seed = SEED + done;
      const talks = fc.sample(talk, { seed, numRuns: Math.min(CHUNK, half - done) });
      const ones: InProcess[] = [];
      for (const [i, it] of talks.entries()) {
        const one = inProcess();
        ones.push(one);
        try {
          const said = bytesOf(it);
          bytes += said.length;
          hearInPieces(one, said, it.cuts);
        } catch (error) {
          throw new Error(`seed ${seed}, conversation ${i}: ${(error as Error).stack}`);
        }
      }
      await turn();
      await turn();
      for (const [i, one] of ones.entries()) {
        const where = `seed ${seed}, conversation ${i}`;
        // Only what RFC 9113 names may end a connection; anything else is a bug of ours.
        for (const error of one.errors) expect(error.name, `${where}: ${error.stack}`).to.equal('ConnectionError');
        expect(one.errors.length, where).to.be.at.most(1);
        const fate = one.errors.length === 0 ? 'goes on' : 'ended';
        fates[fate] = (fates[fate] ?? 0) + 1;
        // What a server says is always whole frames, or the words for who speaks HTTP/1.1.
        if (one.connection.prefaced) expect(() => framesOf(one.said()), where).to.not.throw();
      }
      expect(await leftOf(ones), `seed ${seed}`).to.deep.equal([]);
    }
    expect(Object.keys(fates).sort()).to.deep.equal(['ended', 'goes on']);
    // Neither everything that is said may be refused, nor nothing, or little is proven.
    expect(Math.min(fates.ended!, fates['goes on']!)).to.be.greaterThan(half / 100);
    tell(`random conversations: ${fates.ended} ended by an error of HTTP/2 or a bound, the others go on`, half);
  });

  it(`answers each call with its own message in ${RUNS - half} conversations, whatever is said between`, async () => {
    const between = fc.oneof(
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => frame(FRAME.ping, 0, 0, bytes)),
      fc.nat(1_000).map((more) => windowUpdate(0, more + 1)),
      // Answers wait for windows that are shut, and go when they open.
      fc.oneof(fc.nat(200), fc.nat(100_000)).map((value) => settings([4, value])),
      fc
        .record({ type: fc.integer({ min: 10, max: 255 }), payload: smallBytes })
        .map((it) => frame(it.type, 0, 0, it.payload)),
      fc.constant(frame(FRAME.priority, 0, 1_001, Buffer.alloc(5))),
    );
    const calls = fc.record({
      messages: fc.array(
        fc.record({ bytes: fc.uint8Array({ maxLength: 150 }), more: fc.array(between, { maxLength: 2 }) }),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
      cuts: fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 20 }),
    });
    for (let done = half; done < RUNS; done += CHUNK) {
      progress(done - half, half);
      const seed = SEED + done;
      const talks = fc.sample(calls, { seed, numRuns: Math.min(CHUNK, RUNS - done) });
      const ones = talks.map((it) => {
        const one = inProcess();
        const said = it.messages.flatMap(({ bytes, more }, i) => [...more, call(2 * i + 1, ECHO, bytes)]);
        const whole = Buffer.concat([GREETING, ...said, settings([4, 100_000])]);
        bytes += whole.length;
        hearInPieces(one, whole, it.cuts);
        return one;
      });
      await turn();
      await turn();
      for (const [i, one] of ones.entries()) {
        const where = `seed ${seed}, conversation ${i}`;
        expect(one.errors, where).to.deep.equal([]);
        const frames = framesOf(one.said());
        for (const [stream, { bytes }] of talks[i]!.messages.entries()) {
          const own = frames.filter((it) => it.id === 2 * stream + 1);
          const body = Buffer.concat(own.filter(({ type }) => type === FRAME.data).map(({ payload }) => payload));
          expect(body.equals(message(bytes)), `${where}, stream ${2 * stream + 1}`).to.equal(true);
        }
      }
      expect(await leftOf(ones), `seed ${seed}`).to.deep.equal([]);
    }
    tell('conversations of calls, each answered with its own message', RUNS - half);
  });
});
