import type { Server, ServerWritableStream } from '@grpc/grpc-js';
import { type OnCall, RPC_CODE, RpcError, type UnaryHandler } from './handler.ts';
import { serviceNamed } from './protos.ts';

export const HEALTH_CHECK = '/grpc.health.v1.Health/Check';

/** "" is the server as a whole. It is as honest as the service's own name. */
const SERVICES: ReadonlySet<string> = new Set(['', 'ratelimit']);

/** Watches that may be open at once; each is a stream that costs a write per change. */
export const MAX_WATCHES = 1000;

/** grpc.health.v1.Health. Not serving until told otherwise. */
export interface Health {
  set(serving: boolean): void;
  readonly check: UnaryHandler;
  /** Adds Watch, which needs a stream and so a transport that has them. */
  addToServer(server: Server): void;
  /** Ends every watch with UNAVAILABLE, and those that come later at once. */
  close(): void;
}

type Watch = ServerWritableStream<{ service: string }, Uint8Array>;

export function health({ onCall }: { readonly onCall?: OnCall } = {}): Health {
  const { Check: definition, Watch: watchDefinition } = serviceNamed('grpc.health.v1.Health');
  if (definition === undefined || watchDefinition === undefined) throw new Error('health.proto lacks a method');
  const serialize = (status: string): Uint8Array => definition.responseSerialize({ status });
  const SERVING = serialize('SERVING');
  const NOT_SERVING = serialize('NOT_SERVING');
  const SERVICE_UNKNOWN = serialize('SERVICE_UNKNOWN');

  let now = NOT_SERVING;
  let closed = false;
  const watches = new Set<Watch>();

  const check: UnaryHandler = async (message) => {
    const startMs = performance.now();
    const error = refusalOf(message);
    onCall?.('Check', error?.code ?? RPC_CODE.ok, performance.now() - startMs);
    if (error !== null) throw error;
    return now;
  };

  function refusalOf(message: Uint8Array): RpcError | null {
    try {
      const { service } = definition!.requestDeserialize(Buffer.from(message)) as { service: string };
      return SERVICES.has(service) ? null : new RpcError(RPC_CODE.notFound, 'unknown service');
    } catch {
      return new RpcError(RPC_CODE.internal, 'grpc: error unmarshalling request: not a HealthCheckRequest');
    }
  }

  /** An unknown service may come to life elsewhere, so its watch stays open (health.proto of gRPC says so). */
  function watch(call: Watch): void {
    if (closed) {
      end(call);
      return;
    }
    if (watches.size === MAX_WATCHES) {
      call.emit('error', {
        code: RPC_CODE.resourceExhausted,
        details: `too many watches, the limit is ${MAX_WATCHES}`,
      });
      return;
    }
    watches.add(call);
    call.on('cancelled', () => watches.delete(call));
    call.on('error', () => watches.delete(call));
    call.write(SERVICES.has(call.request.service) ? now : SERVICE_UNKNOWN);
  }

  function end(call: Watch): void {
    call.emit('error', { code: RPC_CODE.unavailable, details: 'the server is shutting down' });
  }

  return {
    check,
    set(serving) {
      const next = serving ? SERVING : NOT_SERVING;
      if (next === now) return;
      now = next;
      for (const call of watches) if (SERVICES.has(call.request.service)) call.write(now);
    },
    addToServer(server) {
      const { path } = watchDefinition;
      const deserialize = watchDefinition.requestDeserialize as (bytes: Buffer) => { service: string };
      server.register(path, watch, (bytes: Uint8Array) => Buffer.from(bytes), deserialize, 'serverStream');
    },
    close() {
      closed = true;
      for (const call of [...watches]) end(call);
      watches.clear();
    },
  };
}
