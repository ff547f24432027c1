import { RequestError } from '../core/request.ts';
import { decodeText } from './text.ts';

/** The bytes are not a protobuf message. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

const EMPTY_GROUPS: number[] = [];

/**
 * Reads the protobuf wire format front to back. `enter` and `leave` narrow it to a nested message and widen it again,
 * so nothing is copied and nothing recurses. Every method throws DecodeError at bytes that are not protobuf.
 */
export class Reader {
  /** Bits 32 to 63 of the varint read last. */
  high = 0;
  private at = 0;
  private end: number;
  private readonly bytes: Buffer;
  private readonly maxNesting: number;

  constructor(message: Uint8Array, maxNesting: number) {
    this.maxNesting = maxNesting;
    this.bytes = message instanceof Buffer ? message : Buffer.from(message.buffer, message.byteOffset, message.length);
    this.end = message.length;
  }

  more(): boolean {
    return this.at < this.end;
  }

  /** Field number times 8 plus wire type. */
  tag(): number {
    const tag = this.varint();
    if (this.high !== 0 || tag >>> 3 === 0) throw new DecodeError('field number out of range');
    return tag;
  }

  /** The low 32 bits, unsigned, as protobuf cuts a varint for a 32-bit field; the rest is in `high`. */
  varint(): number {
    const { bytes, end } = this;
    if (this.at >= end) throw truncated();
    const first = bytes[this.at++]!;
    this.high = 0;
    return first < 0x80 ? first : this.longVarint(first & 0x7f);
  }

  private longVarint(first: number): number {
    let low = first;
    let high = 0;
    for (let shift = 7; shift < 70; shift += 7) {
      if (this.at >= this.end) throw truncated();
      const byte = this.bytes[this.at++]!;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && bits > 1) break;
        this.high = high >>> 0;
        return low >>> 0;
      }
    }
    throw new DecodeError('varint has more than 64 bits');
  }

  /** Narrows to the nested message that comes next; returns what `leave` needs. */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.end = outer;
  }

  /** The length of what comes next, which is known to be there whole. */
  length(): number {
    const length = this.varint();
    if (this.high !== 0 || length > this.end - this.at) throw truncated();
    return length;
  }

  /** The next `length` bytes as a text. */
  text(length: number): string {
    const start = this.at;
    this.at += length;
    return decodeText(this.bytes, start, this.at);
  }

  /** Passes over the value of a field that is not known, or known with another wire type. */
  skip(tag: number): void {
    const groups = (tag & 7) === 3 ? [] : EMPTY_GROUPS;
    for (let next = tag; ; next = this.tag()) {
      this.skipOne(next, groups);
      if (groups.length === 0) return;
    }
  }

  private skipOne(tag: number, groups: number[]): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.forward(8);
        return;
      case 2:
        this.forward(this.length());
        return;
      case 3:
        if (groups.length === this.maxNesting)
          throw new RequestError(`nested too deep, the limit is ${this.maxNesting}`);
        groups.push(tag >>> 3);
        return;
      case 4:
        if (groups.pop() !== tag >>> 3) throw new DecodeError('end of a group that was not begun');
        return;
      case 5:
        this.forward(4);
        return;
      default:
        throw new DecodeError('unknown wire type');
    }
  }

  private forward(length: number): void {
    if (length > this.end - this.at) throw truncated();
    this.at += length;
  }
}

function truncated(): DecodeError {
  return new DecodeError('message is cut short');
}
