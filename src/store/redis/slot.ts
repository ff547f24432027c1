import { keyBytes } from './key-bytes.ts';

export const SLOTS = 16_384;

/** CRC-16 of XMODEM, polynomial 0x1021, as the cluster specification of Redis has it. */
const TABLE: readonly number[] = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

const OPEN = '{'.charCodeAt(0);
const CLOSE = '}'.charCodeAt(0);

/** The slot of a key, by what stands in its first braces when that is not nothing. */
export function slotOf(key: string): number {
  const bytes = Buffer.from(keyBytes(key) as string);
  const open = bytes.indexOf(OPEN);
  const close = open === -1 ? -1 : bytes.indexOf(CLOSE, open + 1);
  const tagged = close > open + 1;
  const end = tagged ? close : bytes.length;
  let crc = 0;
  for (let i = tagged ? open + 1 : 0; i < end; i++) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ (bytes[i] as number)) & 0xff] as number);
  }
  return crc % SLOTS;
}
