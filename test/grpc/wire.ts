/** Protobuf bytes written by hand, for messages that no library would write. */
export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

export function number(field: number, value: bigint | number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

export function bytes(field: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

export function group(field: number, ...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([varint(field * 8 + 3), ...parts, varint(field * 8 + 4)]);
}
