const FIRST_RAW = 0xdc80;
const LAST_RAW = 0xdcff;
const LAST_TRAIL = 0xdfff;

/**
 * A counter key as Redis gets it: the text itself, which goes out as UTF-8, or the bytes where a lone surrogate stands
 * for one that was never UTF-8 (see core/request.ts).
 */
export function keyBytes(key: string): string | Buffer {
  if (key.isWellFormed()) return key;
  const parts: Buffer[] = [];
  let start = 0;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (startsPair(key, i)) {
      i++;
    } else if (unit >= FIRST_RAW && unit <= LAST_RAW) {
      parts.push(Buffer.from(key.slice(start, i)), Buffer.of(unit & 0xff));
      start = i + 1;
    }
  }
  parts.push(Buffer.from(key.slice(start)));
  return Buffer.concat(parts);
}

function startsPair(text: string, at: number): boolean {
  const lead = text.charCodeAt(at);
  const trail = text.charCodeAt(at + 1);
  return lead >= 0xd800 && lead < 0xdc00 && trail >= 0xdc00 && trail <= LAST_TRAIL;
}
