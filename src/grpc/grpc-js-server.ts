import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { secureServer } from '../wire/secure-server.ts';
import { limitConnectionAge, MOST_TIMER_MS } from './connection-age.ts';
import { Counts } from './counts.ts';
import { sayFarewell } from './farewell.ts';
import {
  type CallContext,
  RPC_CODE,
  RpcError,
  type StreamContext,
  type StreamHandler,
  type UnaryHandler,
} from './handler.ts';
import { listen, targetOf } from './listening.ts';
import type { GrpcServer, GrpcServerSettled } from './server.ts';

/** Clients refuse long header lists, and then show nothing at all of the error. */
const MAX_STATUS_MESSAGE = 1024;
/** What grpc-js takes for never. */
const NEVER_MS = MOST_TIMER_MS;
const NONE: ReadonlyMap<string, number> = new Map();

/**
 * The gRPC port on grpc-js. The sockets are accepted here and handed to it, because grpc-js does not cut connections
 * at a forced stop when its channelz is off, and channelz costs time in every call.
 *
 * What grpc-js has no option for: how long a message may take to arrive, and how much all unfinished ones of a live
 * connection hold together, which is up to maxStreams times maxMessageBytes. A server interceptor could time them, at a
 * cost in every call. Node's maxSessionMemory stays off, as grpc-js has it: it says Node degrades badly at that limit.
 */
export function grpcJsServer(options: GrpcServerSettled): GrpcServer {
  const { place, health, tls, drainTimeoutMs } = options;
  const server = serverOf(options);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2 = http2ServerOf(server);
  // grpc-js has no option for it.
  http2.updateSettings({ maxHeaderListSize: options.maxHeaderListBytes });
  const ended = new Counts(['max_connections', 'max_connection_age_grace']);
  const sockets = new Map<Socket, 'dialled' | 'admitted' | 'speaking'>();
  const socketOf = new WeakMap<ServerHttp2Session, Socket>();

  function admit(socket: Socket): void {
    if (socket.destroyed) return;
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

  const listener =
    tls === undefined ? createServer({ noDelay: true }, admit) : secureServer(tls, options.handshakeTimeoutMs, admit);
  // What carries TLS is there before it has shown who it is.
  if (tls !== undefined) listener.on('connection', (socket) => keep(socket, 'dialled'));
  // Not by the listener's own bound: a worker of several would hand the connection back, and get it again at once.
  let open = 0;
  listener.prependListener('connection', (socket: Socket) => {
    open++;
    socket.on('close', () => open--);
    if (open <= options.maxConnections) return;
    ended.add('max_connections');
    socket.destroy();
  });
  limitConnectionAge(http2, {
    maxAgeMs: options.maxConnectionAgeMs,
    graceMs: options.maxConnectionAgeGraceMs,
    random: Math.random,
    ask: (session) => sayFarewell(session, socketOf.get(session)!),
    cut(session) {
      ended.add('max_connection_age_grace');
      socketOf.get(session)?.destroy();
    },
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
    numbers() {
      // Below TLS there is a socket more.
      const admitted = [...sockets.values()].filter((state) => state !== 'dialled');
      return { connections: admitted.length, ended, refused: NONE };
    },
  };
}

/** grpc-js keeps it to itself and shows connections in no other way, so package.json holds it to one minor version. */
function http2ServerOf(server: Server): Http2Server {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  const [only] = http2Servers?.keys() ?? [];
  if (only === undefined) throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 server elsewhere');
  return only;
}

function serverOf({ handlers, streams, ...bounds }: GrpcServerSettled): Server {
  const server = new Server({
    'grpc.max_receive_message_length': bounds.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': bounds.maxStreams,
    'grpc.max_connection_idle_ms': Math.min(NEVER_MS, bounds.maxConnectionIdleMs || NEVER_MS),
    'grpc.keepalive_time_ms': Math.min(NEVER_MS, bounds.keepaliveTimeMs || NEVER_MS),
    'grpc.keepalive_timeout_ms': bounds.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  } satisfies ServerOptions);
  for (const [path, handler] of Object.entries(handlers)) {
    server.register(path, unary(handler), asBuffer, asIs, 'unary');
  }
  for (const [path, handler] of Object.entries(streams)) {
    server.register(path, streaming(handler), asBuffer, asIs, 'bidi');
  }
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

function streaming(handler: StreamHandler): handleBidiStreamingCall<Buffer, Uint8Array> {
  return async function serve(call) {
    try {
      await handler(new GrpcJsStream(call));
      call.end();
    } catch (error) {
      call.emit('error', statusOf(error));
    }
  };
}

/** Answers only what is asked: most handlers look at none of it. */
class GrpcJsCall implements CallContext {
  protected readonly call: ServerUnaryCall<Buffer, Uint8Array> | ServerDuplexStream<Buffer, Uint8Array>;

  constructor(call: ServerUnaryCall<Buffer, Uint8Array> | ServerDuplexStream<Buffer, Uint8Array>) {
    this.call = call;
  }

  get deadlineMs(): number | null {
    const deadline = Number(this.call.getDeadline());
    return Number.isFinite(deadline) ? deadline - Date.now() + performance.now() : null;
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

class GrpcJsStream extends GrpcJsCall implements StreamContext {
  readonly messages: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => this.next(),
      return: async () => ({ done: true, value: undefined }),
    }),
  };
  private readonly stream: ServerDuplexStream<Buffer, Uint8Array>;
  private ended = false;

  constructor(call: ServerDuplexStream<Buffer, Uint8Array>) {
    super(call);
    this.stream = call;
    // A call that fails is told of it by its end; without a listener it would end the process.
    call.on('error', () => {});
    call.on('end', () => {
      this.ended = true;
    });
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.stream.cancelled || this.stream.write(message)) return;
    await this.either('drain');
  }

  onCancelled(listener: () => void): void {
    if (this.stream.cancelled) listener();
    else this.stream.once('cancelled', listener);
  }

  private async next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const message = this.stream.read() as Buffer | null;
      if (message !== null) return { done: false, value: message };
      if (this.ended || this.stream.cancelled) return { done: true, value: undefined };
      await this.either('readable', 'end');
    }
  }

  /** Resolves at the first of these events, or when the caller has gone. */
  private either(...events: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const all = [...events, 'cancelled', 'close'];
      const done = (): void => {
        for (const event of all) this.stream.off(event, done);
        resolve();
      };
      for (const event of all) this.stream.on(event, done);
    });
  }
}
