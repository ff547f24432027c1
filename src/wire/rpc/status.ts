import type { Metadata } from './metadata.ts';

/** The codes of gRPC that the transport itself sends (https://grpc.io/docs/guides/status-codes/). */
export const STATUS = {
  ok: 0,
  cancelled: 1,
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

/** Printable ASCII without the percent sign, and with no blank at either end. */
const PLAIN = /^(?! )[ -$&-~]*(?<! )$/;

/**
 * Percent-encoding of grpc-message: everything but printable ASCII, and the percent sign. A blank at either end too,
 * which gRPC would let stand and RFC 9113, section 8.2.1 does not.
 */
export function escapeMessage(message: string): string {
  const short = message.length > MOST_MESSAGE_CHARACTERS ? message.slice(0, MOST_MESSAGE_CHARACTERS) : message;
  if (PLAIN.test(short)) return short;
  // A lone surrogate becomes U+FFFD.
  const bytes = encoder.encode(short);
  let escaped = '';
  for (const [i, byte] of bytes.entries()) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    const outermost = byte === 0x20 && (i === 0 || i === bytes.length - 1);
    escaped += plain && !outermost ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}
