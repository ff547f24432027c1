import { expect } from 'chai';
import fc from 'fast-check';
import { ConnectionError } from '../../src/wire/http2/frame.ts';
import { FrameReader } from '../../src/wire/http2/frame-reader.ts';
import { LAW_RUNS } from '../laws/runs.ts';
import { frame } from './peer.ts';

const anyFrame = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  id: fc.nat(0x7fff_ffff),
  payload: fc.uint8Array({ maxLength: 600 }),
});

describe('FrameReader', () => {
  it('reads the same frames wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 700 })), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map((it) => frame(it.type, it.flags, it.id, it.payload)));
        const reader = new FrameReader(16_384);
        const seen: unknown[] = [];
        const sink = {
          ended: false,
          frame(type: number, flags: number, id: number, from: Buffer, start: number, end: number) {
            seen.push({ type, flags, id, payload: Uint8Array.from(from.subarray(start, end)) });
          },
        };
        let at = 0;
        for (const cut of cuts) {
          reader.read(Buffer.from(bytes.subarray(at, at + cut)), 0, sink);
          at = Math.min(bytes.length, at + cut);
        }
        reader.read(bytes.subarray(at), 0, sink);
        expect(seen).to.deep.equal(frames);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('refuses a frame of 16,385 bytes by its header alone, also when that comes in two pieces', () => {
    const sink = { ended: false, frame() {} };
    const header = Buffer.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1);
    expect(() => new FrameReader(16_384).read(header, 0, sink)).to.throw(ConnectionError, '16385 bytes');
    const reader = new FrameReader(16_384);
    reader.read(header.subarray(0, 4), 0, sink);
    expect(() => reader.read(header.subarray(4), 0, sink)).to.throw(ConnectionError, '16385 bytes');
  });

  it('looks at nothing more once its sink has ended', () => {
    const sink = {
      ended: false,
      seen: 0,
      frame() {
        this.seen++;
        this.ended = true;
      },
    };
    new FrameReader(16_384).read(Buffer.concat([frame(4, 0, 0), frame(4, 0, 0), Buffer.of(0)]), 0, sink);
    expect(sink.seen).to.equal(1);
  });
});
