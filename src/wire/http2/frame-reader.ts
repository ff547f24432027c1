import { CODE, ConnectionError, FRAME_HEADER_BYTES, uint31 } from './frame.ts';

export interface FrameSink {
  /** The payload is `bytes` from `start` to `end`, and stays untouched: who keeps a piece keeps the chunk it came in. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** True: what follows is not looked at. */
  readonly ended: boolean;
}

const FIRST_CARRY_BYTES = 256;

/** Cuts what a socket says into frames, wherever its chunks end. Frames that are whole in a chunk are not copied. */
export class FrameReader {
  private readonly maxFrameBytes: number;
  /** The beginning of a frame that is not whole; it grows as bytes come, not as its header claims. */
  private carry: Buffer | null = null;
  private carried = 0;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Throws what the sink throws, and ConnectionError for a frame that is too large. */
  read(chunk: Buffer, from: number, sink: FrameSink): void {
    let at = from;
    const { length } = chunk;
    if (this.carried > 0) {
      at = this.fill(chunk, at, FRAME_HEADER_BYTES);
      if (this.carried < FRAME_HEADER_BYTES) return;
      const whole = FRAME_HEADER_BYTES + this.payloadLength(this.carry!, 0);
      at = this.fill(chunk, at, whole);
      if (this.carried < whole) return;
      const frame = this.carry!;
      this.carry = null;
      this.carried = 0;
      sink.frame(frame[3]!, frame[4]!, uint31(frame, 5), frame, FRAME_HEADER_BYTES, whole);
    }
    while (at + FRAME_HEADER_BYTES <= length) {
      if (sink.ended) return;
      const start = at + FRAME_HEADER_BYTES;
      const end = start + this.payloadLength(chunk, at);
      if (end > length) break;
      sink.frame(chunk[at + 3]!, chunk[at + 4]!, uint31(chunk, at + 5), chunk, start, end);
      at = end;
    }
    if (at < length && !sink.ended) this.fill(chunk, at, length - at);
  }

  private payloadLength(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length > this.maxFrameBytes) {
      throw new ConnectionError(CODE.frameSizeError, `a frame of ${length} bytes, the limit is ${this.maxFrameBytes}`);
    }
    return length;
  }

  /** Carries on to `whole` bytes as far as the chunk goes; where it stands then. */
  private fill(chunk: Buffer, at: number, whole: number): number {
    const more = Math.min(whole - this.carried, chunk.length - at);
    if (more <= 0) return at;
    const needed = this.carried + more;
    if (this.carry === null || this.carry.length < needed) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_CARRY_BYTES, Math.min(needed * 2, whole)));
      this.carry?.copy(bytes, 0, 0, this.carried);
      this.carry = bytes;
    }
    chunk.copy(this.carry, this.carried, at, at + more);
    this.carried = needed;
    return at + more;
  }
}
