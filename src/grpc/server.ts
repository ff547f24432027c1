import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import type { Part } from '../core/ports.ts';
import { limitConnectionAge } from './connection-age.ts';
import { sayFarewell } from './farewell.ts';
import { type CallContext, RPC_CODE, RpcError, type UnaryHandler } from './handler.ts';
import type { Health } from './health.ts';
import { listen, type Place, targetOf } from './listening.ts';
import { secureServer, type Tls } from './secure-server.ts';

/** What has streams and so is bound to grpc-js: health's Watch, reflection. */
export interface GrpcJsService {
  addToServer(server: Server): void;
}

export interface GrpcServerOptions {
  /** The host is an address or a name; `::` takes IPv4 too. A stale file at the path of a socket is taken away. */
  readonly place: Place;
  /** By full method name, `/package.Service/Method`. */
  readonly handlers: Readonly<Record<string, UnaryHandler>>;
  readonly services: readonly GrpcJsService[];
  /** Told to be not serving before anything else stops. */
  readonly health: Health;
  /** A larger message is RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes?: number;
  /** Calls that one connection may have open. */
  readonly maxStreams?: number;
  /** Connections beyond it are closed unanswered; those there are go on. */
  readonly maxConnections?: number;
  /** Every connection is pinged so often, and cut when it does not answer within the timeout. */
  readonly keepaliveTimeMs?: number;
  readonly keepaliveTimeoutMs?: number;
  /** How long calls in flight have to finish once the server stops; then their connections are cut. */
  readonly drainTimeoutMs?: number;
  /** After so long, give or take a tenth, a connection is asked to leave at its next call. 0, the default: never. */
  readonly maxConnectionAgeMs?: number;
  /** How long its calls may take from then on; then it is cut. 0, the default: as long as they like. */
  readonly maxConnectionAgeGraceMs?: number;
  /** Absent: plain text. */
  readonly tls?: Tls | undefined;
}

export interface GrpcServer extends Part {
  /** Where it listens as clients write it: `host:port` or `unix:path`; null before `start`, and again once stopped. */
  target(): string | null;
}

const MAX_MESSAGE_BYTES = 4_194_304;
const MAX_STREAMS = 1024;
const MAX_CONNECTIONS = 10_000;
/** As in gRPC's other servers, but sooner: theirs is two hours. */
const KEEPALIVE_TIME_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
const DRAIN_TIMEOUT_MS = 10_000;
/** Clients refuse long header lists, and then show nothing at all of the error. */
const MAX_STATUS_MESSAGE = 1024;

/**
 * The gRPC port on grpc-js. The sockets are accepted here and handed to it, because grpc-js does not cut connections
 * at a forced stop when its channelz is off, and channelz costs time in every call.
 *
 * What grpc-js has no option for: how long a message may take to arrive, and how much all unfinished ones of a live
 * connection hold together, which is up to maxStreams times maxMessageBytes. A server interceptor could time them, at a
 * cost in every call. Node's maxSessionMemory stays off, as grpc-js has it: it says Node degrades badly at that limit.
 */
export function grpcServer(options: GrpcServerOptions): GrpcServer {
  const { place, health, tls, drainTimeoutMs = DRAIN_TIMEOUT_MS } = options;
  const server = grpcJsServer(options);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2 = http2ServerOf(server);
  const sockets = new Map<Socket, 'dialled' | 'admitted' | 'speaking'>();
  const socketOf = new WeakMap<ServerHttp2Session, Socket>();

  function admit(socket: Socket): void {
    http2.once('session', (session) => {
      socketOf.set(session, socket);
      session.once('remoteSettings', () => sockets.set(socket, 'speaking'));
    });
    keep(socket, 'admitted');
    injector.injectConnection(socket);
  }

  function keep(socket: Socket, as: 'dialled' | 'admitted'): void {
    sockets.set(socket, as);
    socket.on('close', () => sockets.delete(socket));
    // A connection that breaks ends its calls, and nothing else; without a listener it would end the process.
    socket.on('error', () => socket.destroy());
  }

  const listener = tls === undefined ? createServer({ noDelay: true }, admit) : secureServer(tls, admit);
  // What carries TLS is there before it has shown who it is.
  if (tls !== undefined) listener.on('connection', (socket) => keep(socket, 'dialled'));
  listener.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  limitConnectionAge(http2, {
    maxAgeMs: options.maxConnectionAgeMs ?? 0,
    graceMs: options.maxConnectionAgeGraceMs ?? 0,
    random: Math.random,
    ask: (session) => sayFarewell(session, socketOf.get(session)!),
    cut: (session) => socketOf.get(session)?.destroy(),
  });
  let stopping: Promise<void> | null = null;

  async function stop(): Promise<void> {
    health.set(false);
    health.close();
    const closed = new Promise((resolve) => listener.close(resolve));
    // Cutting a socket makes its calls UNAVAILABLE, which callers retry. The drain's own cut would make them CANCELLED.
    injector.drain(2 * drainTimeoutMs);
    // Who has not said a word has no call to lose, and would hold the stop up to its deadline.
    for (const [socket, state] of sockets) {
      if (state === 'admitted' || (state === 'dialled' && socket.bytesRead === 0)) socket.destroy();
    }
    const force = setTimeout(() => {
      for (const socket of sockets.keys()) socket.destroy();
    }, drainTimeoutMs);
    await closed;
    clearTimeout(force);
    injector.destroy();
    server.forceShutdown();
  }

  return {
    name: 'grpc',
    start: () => listen(listener, place),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    target: () => targetOf(listener),
  };
}

/** grpc-js keeps it to itself and shows connections in no other way, so package.json holds it to one minor version. */
function http2ServerOf(server: Server): Http2Server {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  const [only] = http2Servers?.keys() ?? [];
  if (only === undefined) throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 server elsewhere');
  return only;
}

function grpcJsServer({ handlers, services, ...bounds }: GrpcServerOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': bounds.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': bounds.maxStreams ?? MAX_STREAMS,
    'grpc.keepalive_time_ms': bounds.keepaliveTimeMs ?? KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': bounds.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS,
    'grpc.enable_channelz': 0,
  } satisfies ServerOptions);
  for (const [path, handler] of Object.entries(handlers)) {
    server.register(path, unary(handler), asBuffer, asIs, 'unary');
  }
  for (const service of services) service.addToServer(server);
  return server;
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function unary(handler: UnaryHandler): handleUnaryCall<Buffer, Uint8Array> {
  return async function serve(call, callback) {
    let reply: Uint8Array;
    try {
      reply = await handler(call.request, new GrpcJsCall(call));
    } catch (error) {
      callback(statusOf(error));
      return;
    }
    callback(null, reply);
  };
}

function statusOf(error: unknown): { code: number; details: string } {
  if (!(error instanceof RpcError)) return { code: RPC_CODE.internal, details: 'internal error' };
  // grpc-js escapes the message for its header by encodeURI, which throws at a lone surrogate.
  return { code: error.code, details: error.message.slice(0, MAX_STATUS_MESSAGE).toWellFormed() };
}

/** Answers only what is asked: most handlers look at none of it. */
class GrpcJsCall implements CallContext {
  private readonly call: ServerUnaryCall<Buffer, Uint8Array>;

  constructor(call: ServerUnaryCall<Buffer, Uint8Array>) {
    this.call = call;
  }

  get deadlineMs(): number | null {
    const deadline = Number(this.call.getDeadline());
    return Number.isFinite(deadline) ? deadline : null;
  }

  get cancelled(): boolean {
    return this.call.cancelled;
  }

  get peer(): string {
    return this.call.getPeer();
  }

  header(name: string): string | null {
    const [value] = this.call.metadata.get(name);
    return typeof value === 'string' ? value : null;
  }
}
