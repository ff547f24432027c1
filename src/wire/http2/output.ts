import { FRAME_HEADER_BYTES } from './frame.ts';

const CAPACITY = 16_384;
/** Buffers that wait for the next connection that has something to say. */
const MOST_SPARE = 64;
/** Below this a loop copies faster than a call into C++. */
const SHORT = 48;

const spare: Buffer[] = [];

/** Frames of one connection that go out in one write. A connection that has nothing to say holds no buffer. */
export class Output {
  private bytes: Buffer | null = null;
  private at = 0;
  private taken: Buffer | null = null;

  get length(): number {
    return this.at;
  }

  /** A frame's header; its payload is written next, with `raw`. */
  header(length: number, type: number, flags: number, streamId: number): void {
    const bytes = this.reserve(FRAME_HEADER_BYTES + length);
    let at = this.at;
    bytes[at++] = length >>> 16;
    bytes[at++] = (length >>> 8) & 0xff;
    bytes[at++] = length & 0xff;
    bytes[at++] = type;
    bytes[at++] = flags;
    bytes[at++] = streamId >>> 24;
    bytes[at++] = (streamId >>> 16) & 0xff;
    bytes[at++] = (streamId >>> 8) & 0xff;
    bytes[at++] = streamId & 0xff;
    this.at = at;
  }

  raw(from: Uint8Array, start: number, end: number): void {
    const bytes = this.reserve(end - start);
    let at = this.at;
    if (end - start > SHORT) bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), at);
    else for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    this.at += end - start;
  }

  uint32(value: number): void {
    const bytes = this.reserve(4);
    bytes[this.at++] = value >>> 24;
    bytes[this.at++] = (value >>> 16) & 0xff;
    bytes[this.at++] = (value >>> 8) & 0xff;
    bytes[this.at++] = value & 0xff;
  }

  uint16(value: number): void {
    const bytes = this.reserve(2);
    bytes[this.at++] = (value >>> 8) & 0xff;
    bytes[this.at++] = value & 0xff;
  }

  /** All of it; the output is empty then. */
  take(): Buffer {
    const bytes = this.bytes!;
    const all = bytes.subarray(0, this.at);
    this.bytes = null;
    this.at = 0;
    this.taken = bytes;
    return all;
  }

  /** Nobody reads what was taken last any more. */
  giveBack(): void {
    const { taken } = this;
    this.taken = null;
    if (taken !== null && taken.length === CAPACITY && spare.length < MOST_SPARE) spare.push(taken);
  }

  /** What was taken last is still being read. */
  letGo(): void {
    this.taken = null;
  }

  private reserve(more: number): Buffer {
    const { bytes } = this;
    const needed = this.at + more;
    if (bytes !== null && needed <= bytes.length) return bytes;
    if (bytes === null && needed <= CAPACITY) {
      this.bytes = spare.pop() ?? Buffer.allocUnsafeSlow(CAPACITY);
      return this.bytes;
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * (bytes?.length ?? CAPACITY)));
    bytes?.copy(larger, 0, 0, this.at);
    if (bytes?.length === CAPACITY && spare.length < MOST_SPARE) spare.push(bytes);
    this.bytes = larger;
    return larger;
  }
}
