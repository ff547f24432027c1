/**
 * The list of unsigned integers and texts that cmsgpack.pack makes in Redis (the MessagePack specification); null when
 * the bytes are anything else. ioredis reads a long list of the Redis protocol ten times as slowly.
 */
export function unpackedList(bytes: Buffer): readonly (number | string)[] | null {
  const reader = new Unpacking(bytes);
  try {
    const list = reader.list();
    return reader.atEnd ? list : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Methods throw RangeError at bytes that are not there, or not what they read. */
class Unpacking {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  list(): (number | string)[] {
    const items: (number | string)[] = [];
    for (let left = this.#listLength(); left > 0; left--) items.push(this.#item());
    return items;
  }

  #listLength(): number {
    const first = this.#unsigned(1);
    if (first >>> 4 === 0x9) return first & 0xf;
    if (first === 0xdc) return this.#unsigned(2);
    if (first === 0xdd) return this.#unsigned(4);
    throw new RangeError('not a list');
  }

  #item(): number | string {
    const first = this.#unsigned(1);
    if (first < 0x80) return first;
    if (first >>> 5 === 0x5) return this.#text(first & 0x1f);
    switch (first) {
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return this.#unsigned(4) * 0x1_0000_0000 + this.#unsigned(4);
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      default:
        throw new RangeError('not an integer and not a text');
    }
  }

  #text(length: number): string {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('cut short');
    return this.#bytes.toString('utf8', start, this.#at);
  }

  /** The first byte is the highest. */
  #unsigned(size: number): number {
    const end = this.#at + size;
    if (end > this.#bytes.length) throw new RangeError('cut short');
    let value = 0;
    while (this.#at < end) value = value * 256 + this.#bytes[this.#at++]!;
    return value;
  }
}
