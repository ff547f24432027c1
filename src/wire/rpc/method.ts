import type { Metadata } from './metadata.ts';

/** What a handler may ask of the call that it serves, and say beside its messages. */
export interface CallContext {
  /** Milliseconds by `performance.now()`; null when the caller would wait for ever. */
  readonly deadlineMs: number | null;
  /** True from the moment the caller has gone; nobody reads the answer then. */
  readonly cancelled: boolean;
  /** Address and port of the caller, or what is known of it. */
  readonly peer: string;
  /** The first value under this lower-case name; null when there is none. */
  header(name: string): string | null;
  readonly metadata: Metadata;
  /** Goes out before the first message. Throws TypeError for what is no metadata. */
  addHeaders(metadata: Metadata): void;
  /** Goes out with the status. Throws TypeError likewise. */
  addTrailers(metadata: Metadata): void;
}

/** A call in which either side may send any number of messages. */
export interface StreamContext extends CallContext {
  /** The caller's messages; it ends when the caller has ended them, or has gone. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Resolves when the caller can take another; at once when it has gone. */
  send(message: Uint8Array): Promise<void>;
  /** Called once when the caller goes before the call has ended; at once when it has gone. */
  onCancelled(listener: () => void): void;
}

/** One message in, one out. What it rejects with becomes a status, by `statusOf` of the server. */
export type UnaryHandler = (message: Uint8Array, call: CallContext) => Promise<Uint8Array>;
/** The call ends when it resolves. */
export type StreamHandler = (call: StreamContext) => Promise<void>;

export type Method =
  | { readonly kind: 'unary'; readonly serve: UnaryHandler }
  | { readonly kind: 'stream'; readonly serve: StreamHandler };
