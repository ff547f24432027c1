import type { Part } from '../core/ports.ts';
import type { Tls } from '../wire/secure-server.ts';
import type { WireServerOptions } from '../wire/server.ts';
import { grpcJsServer } from './grpc-js-server.ts';
import type { StreamHandler, UnaryHandler } from './handler.ts';
import type { Health } from './health.ts';
import type { Place } from './listening.ts';
import { wireGrpcServer } from './wire-server.ts';

/** `grpc-js` is gRPC's own library on node:http2; `wire` is HTTP/2 straight on sockets, at a fraction of the cost. */
export type Transport = 'grpc-js' | 'wire';

/** What only wire can bound. */
export type WireBounds = Required<
  Pick<WireServerOptions, 'bounds' | 'maxRunning' | 'requestTimeoutMs' | 'maxBufferedBytes' | 'maxBufferedBytesOfAll'>
>;

/** What bounds the port and its stop: as the settings have it, which is why nothing here has a default. */
export interface GrpcBounds {
  /** A larger message is RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** Calls that one connection may have open. */
  readonly maxStreams: number;
  /** Connections beyond it are closed unanswered; those there are go on. */
  readonly maxConnections: number;
  /** Header fields of a call, as HTTP/2 counts them. */
  readonly maxHeaderListBytes: number;
  /** Of TLS, and on wire of HTTP/2. */
  readonly handshakeTimeoutMs: number;
  /** A connection without calls for so long is told to go. 0: it is kept. */
  readonly maxConnectionIdleMs: number;
  /** Every silent connection is pinged so often, and cut when it does not answer within the timeout. 0: never. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Connections so old are told to go, and cut when the grace is over. 0: any age will do, and any grace. */
  readonly maxConnectionAgeMs: number;
  readonly maxConnectionAgeGraceMs: number;
  /** How long calls in flight have to finish once the server stops; then their connections are cut. */
  readonly drainTimeoutMs: number;
  readonly wire: WireBounds;
}

export interface GrpcServerOptions extends GrpcBounds {
  readonly transport: Transport;
  /** The host is an address or a name; `::` takes IPv4 too. A stale file at the path of a socket is taken away. */
  readonly place: Place;
  /** By full method name, `/package.Service/Method`. */
  readonly handlers: Readonly<Record<string, UnaryHandler>>;
  readonly streams?: Readonly<Record<string, StreamHandler>>;
  /** Told to be not serving before anything else stops. */
  readonly health: Health;
  /** On wire: told of a connection that was ended for what its peer did, or for an error of ours. */
  readonly onConnectionFailed?: (error: Error, peer: string) => void;
  /** Absent: plain text. */
  readonly tls?: Tls | undefined;
}

/** Every option, given or not. */
export type GrpcServerSettled = Required<Omit<GrpcServerOptions, 'tls'>> & { readonly tls: Tls | undefined };

export interface GrpcServer extends Part {
  /** Where it listens as clients write it: `host:port` or `unix:path`; null before `start`, and again once stopped. */
  target(): string | null;
  numbers(): GrpcNumbers;
}

/** Of its connections and calls. */
export interface GrpcNumbers {
  /** Open now. */
  readonly connections: number;
  /** That were ended for a bound or an error, by that. */
  readonly ended: ReadonlyMap<string, number>;
  /** Calls that were refused for a bound, by that. */
  readonly refused: ReadonlyMap<string, number>;
}

/** The gRPC port. */
export function grpcServer(options: GrpcServerOptions): GrpcServer {
  const { streams = {}, tls, onConnectionFailed = () => {} } = options;
  const all = { ...options, streams, tls, onConnectionFailed };
  return options.transport === 'wire' ? wireGrpcServer(all) : grpcJsServer(all);
}
