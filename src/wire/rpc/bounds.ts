/** What all calls together may ask of us. */
export interface RpcBounds {
  /** A larger message is RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** Handlers that run at once, half of them of streams at most; a call beyond is RESOURCE_EXHAUSTED. */
  readonly maxRunning: number;
  /** Bytes that wait: messages that are not whole or not read, and long header lists; of a connection, and of all. */
  readonly maxBufferedBytes: number;
  readonly maxBufferedBytesOfAll: number;
  /** A call of one message has to have arrived by then. */
  readonly requestTimeoutMs: number;
}

/** What a service has unless it is told otherwise. */
export const RPC_BOUNDS: RpcBounds = {
  maxMessageBytes: 4_194_304,
  maxRunning: 100_000,
  maxBufferedBytes: 64 * 1024 * 1024,
  maxBufferedBytesOfAll: 256 * 1024 * 1024,
  requestTimeoutMs: 60_000,
};
