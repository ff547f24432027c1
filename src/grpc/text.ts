import { isUtf8 } from 'node:buffer';

/** Longer texts are rarely repeated, and comparing them would cost more than making them anew. */
const LONGEST_REMEMBERED = 32;
/** A power of two. Together the remembered texts stay below a few hundred kilobytes. */
const REMEMBERED = 4096;

/**
 * Texts seen lately, by a hash of their bytes; a newcomer takes the place. Domains and keys repeat in nearly every
 * request, and a text that is one string each time needs neither a call into C++ nor a new hash in the maps behind.
 */
const remembered: string[] = new Array(REMEMBERED).fill('');

/**
 * The text of protobuf string bytes. Valid UTF-8 as usual; a byte b that is not part of valid UTF-8 becomes the lone
 * surrogate U+DC00+b (PEP 383), so that different bytes never become one text.
 */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > LONGEST_REMEMBERED) return decodeUtf8(bytes, start, end);
  let hash = length;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x80) return decodeUtf8(bytes, start, end);
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  const place = (hash ^ (hash >>> 15)) & (REMEMBERED - 1);
  const known = remembered[place]!;
  if (known.length === length && isText(known, bytes, start)) return known;
  const text = bytes.toString('latin1', start, end);
  remembered[place] = text;
  return text;
}

function isText(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  // Invalid bytes always leave U+FFFD, and a caller may also have sent that character itself.
  if (!text.includes('\uFFFD') || isUtf8(bytes.subarray(start, end))) return text;
  return decodeWithEscapes(bytes, start, end);
}

/** One buffer of UTF-16 and one string: pieces would cost a string for each byte of a text that is all invalid. */
function decodeWithEscapes(bytes: Buffer, start: number, end: number): string {
  // No byte makes more than one unit, as four bytes make two.
  const units = Buffer.allocUnsafe(2 * (end - start));
  let to = 0;
  const put = (unit: number): void => {
    units[to++] = unit & 0xff;
    units[to++] = unit >>> 8;
  };
  for (let i = start; i < end; ) {
    const length = validLength(bytes, i, end);
    if (length === 0) {
      put(0xdc00 + bytes[i++]!);
      continue;
    }
    const code = codePoint(bytes, i, length);
    i += length;
    if (code < 0x10000) {
      put(code);
    } else {
      put(0xd7c0 + (code >>> 10));
      put(0xdc00 + (code & 0x3ff));
    }
  }
  return units.toString('utf16le', 0, to);
}

/** Of a character that is known to be valid. */
function codePoint(bytes: Buffer, at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  let code = bytes[at]! & (0x7f >> length);
  for (let i = at + 1; i < at + length; i++) code = (code << 6) | (bytes[i]! & 0x3f);
  return code;
}

/** How many bytes the character at `at` has; 0 when no valid one starts there (RFC 3629, section 4). */
function validLength(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  // The second byte alone rules out overlong forms, surrogates and what lies beyond U+10FFFF.
  const second = bytes[at + 1]!;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = at + 2; i < at + length; i++) if ((bytes[i]! & 0xc0) !== 0x80) return 0;
  return length;
}
