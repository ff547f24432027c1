import type { Metadata } from './metadata.ts';

/** The codes of gRPC that the transport itself sends (https://grpc.io/docs/guides/status-codes/). */
export const STATUS = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
} as const;

/** How a call ends. */
export interface Status {
  readonly code: number;
  /** UTF-8 text; what does not fit a header is escaped. */
  readonly message: string;
  /** Goes out with it: error details, for one. */
  readonly metadata?: Metadata;
}

/** Clients refuse long header lists, and then show nothing at all of the error. */
const MOST_MESSAGE_CHARACTERS = 1_024;
const encoder = new TextEncoder();

/** Percent-encoding of grpc-message: everything but printable ASCII, and the percent sign. */
export function escapeMessage(message: string): string {
  const short = message.length > MOST_MESSAGE_CHARACTERS ? message.slice(0, MOST_MESSAGE_CHARACTERS) : message;
  if (/^[ -$&-~]*$/.test(short)) return short;
  let escaped = '';
  // A lone surrogate becomes U+FFFD.
  for (const byte of encoder.encode(short)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}
