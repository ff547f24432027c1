import { huffmanEncode, huffmanLength } from './huffman.ts';
import { STATIC_INDEX, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** The block that begins after our table was made smaller: RFC 7541, section 4.2. */
export const EMPTY_TABLE = Buffer.of(0x20);

const EXACT: ReadonlyMap<string, number> = new Map(
  STATIC_NAMES.map((name, i) => [`${name}\0${STATIC_VALUES[i]}`, i] as const).slice(1),
);

/**
 * A block of names and values in turn, latin1. It leaves the dynamic table alone: so a block that never changes is made
 * once, for all connections and calls, and can be sent in any order.
 */
export function encodeBlock(fields: readonly string[]): Buffer {
  let most = 0;
  for (const text of fields) most += text.length + 8;
  const block = Buffer.allocUnsafe(most);
  let at = 0;
  for (let i = 0; i < fields.length; i += 2) at = field(block, at, fields[i]!, fields[i + 1]!);
  return block.subarray(0, at);
}

function field(block: Buffer, at: number, name: string, value: string): number {
  const exact = EXACT.get(`${name}\0${value}`);
  if (exact !== undefined) return integer(block, at, 0x80, 0x7f, exact);
  const index = STATIC_INDEX.get(name) ?? 0;
  let to = integer(block, at, 0x00, 0x0f, index);
  if (index === 0) to = text(block, to, name);
  return text(block, to, value);
}

function integer(block: Buffer, at: number, pattern: number, mask: number, value: number): number {
  if (value < mask) {
    block[at] = pattern | value;
    return at + 1;
  }
  block[at] = pattern | mask;
  let to = at + 1;
  let rest = value - mask;
  for (; rest > 0x7f; rest >>>= 7) block[to++] = (rest & 0x7f) | 0x80;
  block[to++] = rest;
  return to;
}

function text(block: Buffer, at: number, value: string): number {
  const short = huffmanLength(value);
  if (short >= value.length) {
    const to = integer(block, at, 0x00, 0x7f, value.length);
    return to + block.write(value, to, 'latin1');
  }
  return huffmanEncode(value, block, integer(block, at, 0x80, 0x7f, short));
}
