import { DynamicTable, ENTRY_OVERHEAD } from './dynamic-table.ts';
import { huffmanDecode } from './huffman.ts';
import { decodePath } from './path-cache.ts';
import { STATIC_LAST, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** A block that is no HPACK: the tables of both sides differ from here on, so the connection cannot go on. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

/** Names and values in turn, as latin1 strings: a character is a byte. */
export type Fields = string[];

export interface DecoderOptions {
  /** Of the dynamic table, in bytes: what our SETTINGS_HEADER_TABLE_SIZE says. */
  readonly maxTableBytes: number;
  /** Fields beyond this are decoded, as the table demands, and not kept. RFC 9113, section 6.5.2 says how it is counted. */
  readonly maxListBytes: number;
}

/** Indexes of the static table whose name is `:path`. */
const PATH_INDEX = 4;
const PATH_INDEX_LAST = 5;
/** An integer that needs more is larger than any bound of ours. */
const MOST_INTEGER = 0x0fff_ffff;

/** RFC 7541: the blocks of one connection, in the order in which they came. */
export class Decoder {
  /** Of the last block: its size by RFC 9113, section 6.5.2, whether kept or not. */
  listBytes = 0;
  readonly table: DynamicTable;
  private readonly maxTableBytes: number;
  private readonly maxListBytes: number;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;

  constructor({ maxTableBytes, maxListBytes }: DecoderOptions) {
    this.table = new DynamicTable(maxTableBytes);
    this.maxTableBytes = maxTableBytes;
    this.maxListBytes = maxListBytes;
  }

  /** The fields of a whole block; `listBytes` tells whether all were kept. Throws HpackError. */
  decode(bytes: Buffer, start: number, end: number): Fields {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.listBytes = 0;
    const fields: Fields = [];
    // Section 4.2: size updates stand at the beginning, and at most two of them.
    for (let updates = 0; this.at < end && (bytes[this.at]! & 0xe0) === 0x20; updates++) {
      if (updates === 2) throw new HpackError('more than two size updates in a block');
      const size = this.integer(0x1f);
      if (size > this.maxTableBytes)
        throw new HpackError(`a table of ${size} bytes, the limit is ${this.maxTableBytes}`);
      this.table.resize(size);
    }
    while (this.at < end) {
      const first = bytes[this.at]!;
      if (first >= 0x80) this.indexed(this.integer(0x7f), fields);
      else if (first >= 0x40) this.literal(this.integer(0x3f), true, fields);
      else if (first >= 0x20) throw new HpackError('a size update behind a field');
      else this.literal(this.integer(0x0f), false, fields);
    }
    this.bytes = Buffer.alloc(0);
    return fields;
  }

  private indexed(index: number, fields: Fields): void {
    if (index === 0) throw new HpackError('index 0');
    if (index <= STATIC_LAST) {
      this.keep(STATIC_NAMES[index]!, STATIC_VALUES[index]!, fields);
      return;
    }
    const entry = this.entry(index);
    this.keep(this.table.name(entry), this.table.value(entry), fields);
  }

  private literal(index: number, toTable: boolean, fields: Fields): void {
    const name =
      index === 0 ? this.text(false) : index <= STATIC_LAST ? STATIC_NAMES[index]! : this.table.name(this.entry(index));
    const value = this.text(index === PATH_INDEX || index === PATH_INDEX_LAST);
    if (toTable) this.table.add(name, value);
    this.keep(name, value, fields);
  }

  private entry(index: number): number {
    const entry = index - STATIC_LAST - 1;
    if (entry >= this.table.length) throw new HpackError(`index ${index} is beyond the table`);
    return entry;
  }

  private keep(name: string, value: string, fields: Fields): void {
    this.listBytes += name.length + value.length + ENTRY_OVERHEAD;
    if (this.listBytes <= this.maxListBytes) fields.push(name, value);
  }

  /** Section 5.1; `mask` is the part of the first byte that belongs to it. */
  private integer(mask: number): number {
    const { bytes, end } = this;
    let value = bytes[this.at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.at === end) throw new HpackError('an integer is cut short');
      const byte = bytes[this.at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MOST_INTEGER || shift > 28) throw new HpackError('an integer is too large');
      if (byte < 0x80) return value;
    }
  }

  /** Section 5.2. */
  private text(isPath: boolean): string {
    if (this.at === this.end) throw new HpackError('a string is missing');
    const huffman = this.bytes[this.at]! >= 0x80;
    const length = this.integer(0x7f);
    const start = this.at;
    this.at = start + length;
    if (this.at > this.end) throw new HpackError('a string is cut short');
    if (!huffman) return this.bytes.toString('latin1', start, this.at);
    const text = isPath ? decodePath(this.bytes, start, this.at) : huffmanDecode(this.bytes, start, this.at);
    if (text === null) throw new HpackError('a string is no Huffman code');
    return text;
  }
}
