import { keyBytes } from './key-bytes.ts';

export const SLOTS = 16_384;

/** CRC-16 of XMODEM, polynomial 0x1021, as the cluster specification of Redis has it. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of a key, by what stands in its first braces when that is not nothing. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (let i = 0; i < tag.length; i++) {
    const unit = tag.charCodeAt(i);
    if (unit > 0x7f) return slotOfBytes(Buffer.from(keyBytes(tag) as string));
    crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ unit) & 0xff] as number);
  }
  return crc % SLOTS;
}

function slotOfBytes(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] as number);
  return crc % SLOTS;
}
