const FIRST_CAPACITY = 4096;
/** A buffer that had to grow beyond this is given back after its message. */
const KEPT_CAPACITY = 65_536;
/** Below this a loop copies faster than a call into C++. */
const SHORT = 64;

/** Writes the protobuf wire format into a buffer that is kept from message to message. */
export class Writer {
  private bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  private at = 0;

  begin(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_CAPACITY) this.bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  }

  /** What was written since `begin`, as bytes of its own. */
  end(): Buffer {
    const { bytes, at } = this;
    const out = Buffer.allocUnsafe(at);
    if (at > SHORT) bytes.copy(out, 0, 0, at);
    else for (let i = 0; i < at; i++) out[i] = bytes[i]!;
    return out;
  }

  /** A tag below 128, or any single byte. */
  byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.at++] = byte;
  }

  /** An unsigned integer of up to 53 bits. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 0x7fff_ffff) {
      this.bytes[this.at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  double(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.reserve(length);
    if (length > SHORT) this.bytes.set(bytes, this.at);
    else for (let i = 0; i < length; i++) this.bytes[this.at + i] = bytes[i]!;
    this.at += length;
  }

  /** A string field. A lone surrogate becomes U+FFFD, as protobuf strings are valid UTF-8. */
  text(tag: number, text: string): void {
    this.byte(tag);
    const mark = this.open();
    const { length } = text;
    this.reserve(length);
    let i = 0;
    for (; i < length && i < SHORT; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      this.bytes[this.at + i] = code;
    }
    if (i === length) this.at += length;
    else this.utf8(text);
    this.close(mark);
  }

  private utf8(text: string): void {
    this.reserve(text.length * 3);
    this.at += this.bytes.write(text, this.at, 'utf8');
  }

  /** Begins a length-delimited value, whose tag was written; returns what `close` needs. */
  open(): number {
    this.reserve(1);
    return this.at++;
  }

  /** Ends it. One byte was kept for the length; a value that needs more is moved. */
  close(mark: number): void {
    const start = mark + 1;
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[mark] = length;
      return;
    }
    const more = length < 1 << 14 ? 1 : length < 1 << 21 ? 2 : length < 1 << 28 ? 3 : 4;
    this.reserve(more);
    this.bytes.copyWithin(start + more, start, this.at);
    this.at = mark;
    this.varint(length);
    this.at += length;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(bytes, 0, 0, this.at);
    this.bytes = bytes;
  }
}
