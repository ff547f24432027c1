const FIRST_RAW = 0xdc80;
const LAST_RAW = 0xdcff;
const LAST_TRAIL = 0xdfff;

/**
 * A counter key as Redis gets it: the text itself, which goes out as UTF-8, or the bytes where a lone surrogate stands
 * for one that was never UTF-8 (see core/request.ts).
 */
export function keyBytes(key: string): string | Buffer {
  if (key.isWellFormed()) return key;
  // In UTF-8 a lone surrogate is a U+FFFD of three bytes, so that putting one byte in its place only ever shortens.
  const bytes = Buffer.from(key);
  let from = 0;
  let to = 0;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    const isPair = startsPair(key, i);
    const size = isPair ? 4 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    if (!isPair && unit >= FIRST_RAW && unit <= LAST_RAW) bytes[to++] = unit & 0xff;
    else for (let k = from; k < from + size; k++) bytes[to++] = bytes[k]!;
    from += size;
    if (isPair) i++;
  }
  return bytes.subarray(0, to);
}

function startsPair(text: string, at: number): boolean {
  const lead = text.charCodeAt(at);
  const trail = text.charCodeAt(at + 1);
  return lead >= 0xd800 && lead < 0xdc00 && trail >= 0xdc00 && trail <= LAST_TRAIL;
}
