import { fileURLToPath } from 'node:url';
import { TEST_PROTOS } from '../messages.ts';

/** What the cases ask of a library of this language, over one connection. */
export interface Library {
  /** Rejects with Failed, as `empty` does. */
  unary(request: Asked, options?: CallOptions): Promise<Answer>;
  empty(options?: CallOptions): Promise<void>;
  /** Names of states. */
  check(): Promise<string>;
  watch(signal: AbortSignal): AsyncIterable<string>;
  /** The services, and the package of the file that is said to have the symbol. */
  reflect(symbol: string): Promise<{ readonly services: readonly string[]; readonly package: string }>;
  close(): void;
}

/** A SimpleRequest: bytes of its payload and of the one to answer, and the status to end with. */
export interface Asked {
  readonly size: number;
  readonly responseSize: number;
  readonly status?: { readonly code: number; readonly message: string };
}

export interface CallOptions {
  readonly metadata?: readonly (readonly [name: string, value: string | Uint8Array])[];
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Bytes of the payload, and the metadata that came back; that of bytes in hex. */
export interface Answer {
  readonly bytes: number;
  readonly initial: readonly string[];
  readonly trailing: readonly string[];
}

export interface Detail {
  readonly type: string;
  readonly code: number;
  readonly message: string;
}

/** How a call ended that did not end well. */
export class Failed extends Error {
  override readonly name = 'Failed';
  readonly code: number;
  readonly details: readonly Detail[];
  constructor(code: number, message: string, details: readonly Detail[]) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

export interface Place {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** PEM; null: plain text. */
  readonly ca: Buffer | null;
  readonly gzip: boolean;
}

/** As an object for a codec. What is not said must not be there: some write a zero that they are given. */
export function simpleRequest({ size, responseSize, status }: Asked): object {
  return {
    ...(size > 0 ? { payload: { body: new Uint8Array(size) } } : {}),
    ...(responseSize > 0 ? { responseSize } : {}),
    ...(status === undefined ? {} : { responseStatus: status }),
  };
}

export type Open = (place: Place) => Library;

export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';
/** @grpc/reflection brings the file of its protocol along. */
export const REFLECTION_PROTOS = fileURLToPath(
  new URL('../../../node_modules/@grpc/reflection/build/proto/', import.meta.url),
);
export const PROTOS = ['grpc/testing/test.proto', 'grpc/health/v1/health.proto', 'grpc/reflection/v1/reflection.proto'];
export const PROTO_DIRS = [TEST_PROTOS, fileURLToPath(new URL('../../../proto/', import.meta.url)), REFLECTION_PROTOS];
