import { BOUND_NAMES, REFUSAL_NAMES } from '../wire/http2/bounds.ts';
import { ConnectionError } from '../wire/http2/frame.ts';
import type { Method } from '../wire/rpc/method.ts';
import { wireServer } from '../wire/server.ts';
import { Counts } from './counts.ts';
import { RPC_CODE, RpcError } from './handler.ts';
import { listen, targetOf } from './listening.ts';
import type { GrpcServer, GrpcServerSettled } from './server.ts';

/** The gRPC port on our own transport. */
export function wireGrpcServer(options: GrpcServerSettled): GrpcServer {
  const { place, tls, health, drainTimeoutMs } = options;
  const ended = new Counts(BOUND_NAMES);
  const refused = new Counts(REFUSAL_NAMES);
  const server = wireServer({
    ...options.wire,
    listeners: [{ tls }],
    methods: methodsOf(options),
    statusOf,
    onFailed(error, peer) {
      ended.add(error instanceof ConnectionError ? error.reason : 'internal_error');
      options.onConnectionFailed(error, peer);
    },
    onRefused: (bound) => refused.add(bound),
    maxMessageBytes: options.maxMessageBytes,
    maxConnections: options.maxConnections,
    bounds: {
      ...options.wire.bounds,
      maxConcurrentStreams: options.maxStreams,
      maxHeaderListBytes: options.maxHeaderListBytes,
      handshakeTimeoutMs: options.handshakeTimeoutMs,
      keepaliveTimeMs: options.keepaliveTimeMs,
      keepaliveTimeoutMs: options.keepaliveTimeoutMs,
      idleTimeoutMs: options.maxConnectionIdleMs,
      maxAgeMs: options.maxConnectionAgeMs,
      maxAgeGraceMs: options.maxConnectionAgeGraceMs,
    },
  });
  const [listener] = server.listeners;
  if (listener === undefined) throw new Error('wire made no listener');
  let stopping: Promise<void> | null = null;

  async function stop(): Promise<void> {
    health.set(false);
    health.close();
    await server.stop(drainTimeoutMs);
  }

  return {
    name: 'grpc',
    start: () => server.start((_, of) => listen(of, place)),
    stop() {
      stopping ??= stop();
      return stopping;
    },
    target: () => targetOf(listener),
    numbers: () => ({ connections: server.connections, ended, refused }),
  };
}

function methodsOf({ handlers, streams }: GrpcServerSettled): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  for (const [path, serve] of Object.entries(handlers)) methods.set(path, { kind: 'unary', serve });
  for (const [path, serve] of Object.entries(streams)) methods.set(path, { kind: 'stream', serve });
  return methods;
}

function statusOf(error: unknown): { readonly code: number; readonly message: string } {
  if (!(error instanceof RpcError)) return { code: RPC_CODE.internal, message: 'internal error' };
  return { code: error.code, message: error.message };
}
