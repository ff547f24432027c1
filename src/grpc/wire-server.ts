import type { AddressInfo } from 'node:net';
import { BOUNDS } from '../wire/http2/bounds.ts';
import type { Method } from '../wire/rpc/method.ts';
import { type WireServer, wireServer } from '../wire/server.ts';
import { RPC_CODE, RpcError } from './handler.ts';
import type { GrpcServer, GrpcServerOptions } from './server.ts';

/** The gRPC port on our own transport. */
export function wireGrpcServer(options: Required<GrpcServerOptions>): GrpcServer {
  const { host, port, health, drainTimeoutMs } = options;
  let server: WireServer | null = null;
  let stopping: Promise<void> | null = null;

  async function start(): Promise<void> {
    const next = wireServer({
      listeners: [{ host, port }],
      methods: methodsOf(options),
      statusOf,
      onFailed: options.onConnectionFailed,
      maxMessageBytes: options.maxMessageBytes,
      maxConnections: options.maxConnections,
      bounds: {
        ...BOUNDS,
        maxConcurrentStreams: options.maxStreams,
        keepaliveTimeMs: options.keepaliveTimeMs,
        keepaliveTimeoutMs: options.keepaliveTimeoutMs,
        maxAgeMs: options.maxConnectionAgeMs,
        maxAgeGraceMs: options.maxConnectionAgeGraceMs,
      },
    });
    try {
      await next.start();
    } catch (error) {
      throw new Error(`the gRPC port cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
    }
    server = next;
  }

  async function stop(): Promise<void> {
    health.set(false);
    health.close();
    await server?.stop(drainTimeoutMs);
  }

  return {
    name: 'grpc',
    start,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    address() {
      const bound = server?.addresses()[0] as AddressInfo | undefined;
      return bound === undefined ? null : { host: bound.address, port: bound.port };
    },
  };
}

function methodsOf({ handlers, streams }: Required<GrpcServerOptions>): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  for (const [path, serve] of Object.entries(handlers)) methods.set(path, { kind: 'unary', serve });
  for (const [path, serve] of Object.entries(streams)) methods.set(path, { kind: 'stream', serve });
  return methods;
}

function statusOf(error: unknown): { readonly code: number; readonly message: string } {
  if (!(error instanceof RpcError)) return { code: RPC_CODE.internal, message: 'internal error' };
  return { code: error.code, message: error.message };
}
