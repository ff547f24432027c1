import type { Bound } from './bounds.ts';

/** RFC 9113, section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const FRAME_HEADER_BYTES = 9;
/** Section 4.2: what everybody takes, and what we take at most. */
export const MAX_FRAME_BYTES = 16_384;

/** Section 6.3, and in HEADERS that have the flag. */
export const PRIORITY_BYTES = 5;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Section 7. */
export const CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

export type ErrorCode = (typeof CODE)[keyof typeof CODE];

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(CODE).map(([name, code]) => [code, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]),
);

/** Ends the connection with a GOAWAY: RFC 9113, section 5.4.1. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ErrorCode;
  /** The bound that was passed; null where RFC 9113 itself calls it an error. */
  readonly bound: Bound | null;
  constructor(code: ErrorCode, message: string, bound: Bound | null = null) {
    super(message);
    this.code = code;
    this.bound = bound;
  }

  /** In one word: the bound, or the name of the code. */
  get reason(): string {
    return this.bound ?? NAMES.get(this.code)!;
  }
}

/** A peer that asks for more than it may have. */
export function passed(bound: Bound, message: string): ConnectionError {
  return new ConnectionError(CODE.enhanceYourCalm, message, bound);
}

export function protocolError(message: string): ConnectionError {
  return new ConnectionError(CODE.protocolError, message);
}

export function frameSizeError(what: string): ConnectionError {
  return new ConnectionError(CODE.frameSizeError, `${what} of a wrong length`);
}

/** A 32-bit integer without its highest bit, which is reserved wherever these stand. */
export function uint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
