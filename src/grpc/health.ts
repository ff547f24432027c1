import {
  type OnCall,
  RPC_CODE,
  RpcError,
  type StreamContext,
  type StreamHandler,
  type UnaryHandler,
} from './handler.ts';
import { serviceNamed } from './protos.ts';

export const HEALTH_CHECK = '/grpc.health.v1.Health/Check';
export const HEALTH_WATCH = '/grpc.health.v1.Health/Watch';

/** "" is the server as a whole. It is as honest as the service's own name. */
const SERVICES: ReadonlySet<string> = new Set(['', 'ratelimit']);

/** Watches that may be open at once; each is a stream that costs a write per change. */
export const MAX_WATCHES = 1000;

/** grpc.health.v1.Health. Not serving until told otherwise. */
export interface Health {
  set(serving: boolean): void;
  readonly check: UnaryHandler;
  /** Tells the state now and whenever it is another. A caller that reads slowly misses what did not last. */
  readonly watch: StreamHandler;
  /** Ends every watch with UNAVAILABLE, and those that come later at once. */
  close(): void;
}

export function health({ onCall }: { readonly onCall?: OnCall } = {}): Health {
  const { Check: definition } = serviceNamed('grpc.health.v1.Health');
  if (definition === undefined) throw new Error('health.proto lacks a method');
  const serialize = (status: string): Uint8Array => definition.responseSerialize({ status });
  const SERVING = serialize('SERVING');
  const NOT_SERVING = serialize('NOT_SERVING');
  const SERVICE_UNKNOWN = serialize('SERVICE_UNKNOWN');

  let now = NOT_SERVING;
  let closed = false;
  /** Of each open watch: what makes it look again. */
  const watches = new Set<() => void>();

  const check: UnaryHandler = async (message) => {
    const startMs = performance.now();
    const error = refusalOf(message);
    onCall?.('Check', error?.code ?? RPC_CODE.ok, performance.now() - startMs);
    if (error !== null) throw error;
    return now;
  };

  function refusalOf(message: Uint8Array): RpcError | null {
    try {
      return SERVICES.has(serviceOf(message)) ? null : new RpcError(RPC_CODE.notFound, 'unknown service');
    } catch {
      return new RpcError(RPC_CODE.internal, 'grpc: error unmarshalling request: not a HealthCheckRequest');
    }
  }

  function serviceOf(message: Uint8Array): string {
    return (definition!.requestDeserialize(Buffer.from(message)) as { service: string }).service;
  }

  async function watch(call: StreamContext): Promise<void> {
    const known = await watchesKnown(call);
    if (watches.size === MAX_WATCHES) {
      throw new RpcError(RPC_CODE.resourceExhausted, `too many watches, the limit is ${MAX_WATCHES}`);
    }
    let look = (): void => {};
    const wake = (): void => look();
    watches.add(wake);
    call.onCancelled(wake);
    try {
      let told: Uint8Array | null = null;
      while (!call.cancelled) {
        const changed = new Promise<void>((resolve) => {
          look = resolve;
        });
        // An unknown service may come to life elsewhere, so its watch stays open (health.proto of gRPC says so).
        const state = known ? now : SERVICE_UNKNOWN;
        if (state !== told && (told !== null || !closed)) await call.send(state);
        else if (!closed) await changed;
        told = state;
        if (closed && state === (known ? now : SERVICE_UNKNOWN)) {
          throw new RpcError(RPC_CODE.unavailable, 'the server is shutting down');
        }
      }
    } finally {
      watches.delete(wake);
    }
  }

  async function watchesKnown(call: StreamContext): Promise<boolean> {
    for await (const message of call.messages) {
      const refusal = refusalOf(message);
      if (refusal?.code === RPC_CODE.internal) throw refusal;
      return refusal === null;
    }
    throw new RpcError(RPC_CODE.internal, 'a watch without a request');
  }

  return {
    check,
    watch,
    set(serving) {
      const next = serving ? SERVING : NOT_SERVING;
      if (next === now) return;
      now = next;
      for (const wake of watches) wake();
    },
    close() {
      closed = true;
      for (const wake of watches) wake();
    },
  };
}
