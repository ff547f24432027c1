/** Bytes in, bytes out: one message of a unary method, whatever transport carries it. Rejects with RpcError. */
export type UnaryHandler = (message: Uint8Array, call: CallContext) => Promise<Uint8Array>;

/** What a handler may ask about the call it answers. */
export interface CallContext {
  /** Milliseconds by `performance.now()`; null when the caller would wait for ever. */
  readonly deadlineMs: number | null;
  /** True from the moment the caller has gone; nobody reads the answer then. */
  readonly cancelled: boolean;
  /** Address and port of the caller, or what the transport knows of it. */
  readonly peer: string;
  /** The first value of a name, in lower case, in the call's metadata; null when there is none. */
  header(name: string): string | null;
}

/** Messages both ways, as bytes. The call ends when it resolves; it rejects with RpcError. */
export type StreamHandler = (call: StreamContext) => Promise<void>;

export interface StreamContext extends CallContext {
  /** What the caller sends; it ends when the caller has ended it, or has gone. To be gone through once. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Resolves when the caller can take another; at once when it has gone. */
  send(message: Uint8Array): Promise<void>;
  /** Called once when the caller goes before the call has ended; at once when it has gone. */
  onCancelled(listener: () => void): void;
}

/** The codes of gRPC that weir sends (https://grpc.io/docs/guides/status-codes/). */
export const RPC_CODE = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  internal: 13,
  unavailable: 14,
} as const;

export type RpcCode = (typeof RPC_CODE)[keyof typeof RPC_CODE];

/** Ends a call with a gRPC status. The message goes to the caller. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcCode;
  constructor(code: RpcCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Told of every call that was answered: the method's short name, the gRPC code, and how long it took. */
export type OnCall = (method: string, code: RpcCode, tookMs: number) => void;
