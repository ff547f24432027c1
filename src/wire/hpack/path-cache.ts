import { huffmanDecode } from './huffman.ts';

const SLOTS = 64;
/** Longer paths are no method of a service that has few. */
const MOST_BYTES = 256;

interface Slot {
  readonly raw: Buffer;
  readonly text: string;
}

const slots = new Array<Slot | undefined>(SLOTS);

/**
 * Decodes a Huffman-coded `:path`. Envoy sends the same few paths on every call, never indexed: bytes that were seen
 * before are compared and not decoded. Shared by all connections; whoever fills it with others only makes it slower.
 */
export function decodePath(from: Buffer, start: number, end: number): string | null {
  const length = end - start;
  if (length === 0 || length > MOST_BYTES) return huffmanDecode(from, start, end);
  const at = (length * 31 + from[end - 1]! * 7 + from[start + (length >> 1)]!) & (SLOTS - 1);
  const slot = slots[at];
  if (slot !== undefined && equal(slot.raw, from, start, end)) return slot.text;
  const text = huffmanDecode(from, start, end);
  if (text !== null) slots[at] = { raw: Buffer.from(from.subarray(start, end)), text };
  return text;
}

/** Short runs of bytes: a loop beats a call into C++. */
export function equal(bytes: Uint8Array, other: Uint8Array, start: number, end: number): boolean {
  const { length } = bytes;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== other[start + i]) return false;
  return true;
}
