/**
 * The Huffman code of RFC 7541, appendix B. It is canonical: codes are given in order of length, and of symbol within a
 * length, so that the lengths say everything. One row holds the lengths of 32 symbols; the last is EOS.
 */
const LENGTHS: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28],
  ...[28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15],
  ...[6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22],
  ...[20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23],
  ...[23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22],
  ...[22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26],
  ...[27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27],
  ...[26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30],
];

const EOS = 256;
const LONGEST = 30;
/** No symbol has fewer bits, so n bytes hold at most n * 8 / 5 symbols. */
const SHORTEST = 5;

const CODES = canonicalCodes();

function canonicalCodes(): readonly number[] {
  const codes = new Array<number>(LENGTHS.length).fill(0);
  let next = 0;
  for (let length = SHORTEST; length <= LONGEST; length++) {
    for (let symbol = 0; symbol <= EOS; symbol++) if (LENGTHS[symbol] === length) codes[symbol] = next++;
    next *= 2;
  }
  return codes;
}

/**
 * Tables of 256 entries, looked up by the next 8 bits; the first is where every symbol begins. An entry that is not
 * negative is a symbol times 16 plus the bits that it takes of these 8; a negative one is the number of the next table,
 * negated.
 */
const TABLE = decodingTables();

function decodingTables(): Int32Array {
  const entries: Int32Array[] = [new Int32Array(256)];
  const below: (number | undefined)[][] = [[]];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let left = LENGTHS[symbol]!;
    const code = CODES[symbol]!;
    let table = 0;
    while (left > 8) {
      const slot = (code >>> (left - 8)) & 0xff;
      let next = below[table]![slot];
      if (next === undefined) {
        next = entries.length;
        entries.push(new Int32Array(256));
        below.push([]);
        below[table]![slot] = next;
        entries[table]![slot] = -next;
      }
      table = next;
      left -= 8;
    }
    const first = (code << (8 - left)) & 0xff;
    entries[table]!.fill(symbol * 16 + left, first, first + (1 << (8 - left)));
  }
  const all = new Int32Array(entries.length * 256);
  for (const [i, table] of entries.entries()) all.set(table, i * 256);
  return all;
}

let scratch = Buffer.allocUnsafeSlow(1024);
const MOST_KEPT_SCRATCH = 65_536;

/** The bytes as a latin1 string, or null: padding that is not the beginning of EOS, or is longer than 7 bits, or EOS. */
export function huffmanDecode(from: Uint8Array, start: number, end: number): string | null {
  const most = Math.ceil(((end - start) * 8) / SHORTEST);
  if (scratch.length < most || scratch.length > MOST_KEPT_SCRATCH) {
    scratch = Buffer.allocUnsafeSlow(Math.max(1024, most));
  }
  const out = scratch;
  let at = 0;
  let acc = 0;
  let bits = 0;
  let table = 0;
  // Bits of the symbol that is being read, which earlier tables have taken.
  let taken = 0;
  for (let i = start; i < end; i++) {
    acc = ((acc << 8) | from[i]!) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const entry = TABLE[table * 256 + ((acc >>> (bits - 8)) & 0xff)]!;
      if (entry < 0) {
        table = -entry;
        taken += 8;
        bits -= 8;
        continue;
      }
      const symbol = entry >>> 4;
      if (symbol === EOS) return null;
      out[at++] = symbol;
      bits -= entry & 15;
      table = 0;
      taken = 0;
    }
  }
  while (bits > 0) {
    // What is missing of the 8 bits is filled with ones, as padding is; a symbol that needs them is no symbol.
    const entry = TABLE[table * 256 + (((acc << (8 - bits)) | (0xff >>> bits)) & 0xff)]!;
    if (entry < 0 || (entry & 15) > bits) break;
    const symbol = entry >>> 4;
    if (symbol === EOS) return null;
    out[at++] = symbol;
    bits -= entry & 15;
    table = 0;
    taken = 0;
  }
  const padding = (1 << bits) - 1;
  if (taken + bits > 7 || (acc & padding) !== padding) return null;
  return out.toString('latin1', 0, at);
}

/** How many bytes a latin1 string takes. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i)]!;
  return Math.ceil(bits / 8);
}

/** Writes a latin1 string at `at` and returns where it ends. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  let acc = 0;
  let bits = 0;
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    let left = LENGTHS[symbol]!;
    const code = CODES[symbol]!;
    while (left > 0) {
      const part = Math.min(left, 8 - bits);
      acc = (acc << part) | ((code >>> (left - part)) & ((1 << part) - 1));
      bits += part;
      left -= part;
      if (bits === 8) {
        into[to++] = acc;
        acc = 0;
        bits = 0;
      }
    }
  }
  if (bits > 0) into[to++] = (acc << (8 - bits)) | (0xff >>> bits);
  return to;
}
