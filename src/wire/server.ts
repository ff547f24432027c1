import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { BOUNDS, type Bounds, MAX_CONNECTIONS, type Refusal } from './http2/bounds.ts';
import { type Application, Connection, peerOf } from './http2/connection.ts';
import { flusher } from './http2/flusher.ts';
import { passed } from './http2/frame.ts';
import { DRAIN_STEP_MS } from './http2/life.ts';
import { RPC_BOUNDS } from './rpc/bounds.ts';
import { type RpcOptions, RpcService } from './rpc/service.ts';
import { secureServer, type Tls } from './secure-server.ts';

/** A TCP port, or the path of a unix socket; in plain text or by TLS. */
export interface Listener {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly tls?: Tls | undefined;
}

type Needed = 'methods' | 'statusOf';

export interface WireServerOptions extends Pick<RpcOptions, Needed>, Partial<Omit<RpcOptions, Needed>> {
  readonly listeners: readonly Listener[];
  readonly bounds?: Partial<Bounds>;
  /** Connections beyond it are closed unanswered; those there are go on. */
  readonly maxConnections?: number;
  /** Told of each connection that was ended for what its peer did, or by an error of this code. */
  readonly onFailed?: (error: Error, peer: string) => void;
  /** Told of each call that was refused for a bound. */
  readonly onRefused?: (bound: Refusal) => void;
}

export interface WireServer {
  /** Rejects with the first listener's error; none is left open then. */
  start(listen?: (listener: Listener, server: Server) => Promise<void>): Promise<void>;
  /** Takes nothing new, says GOAWAY, and resolves when the last call has its answer; cuts those left at the deadline. */
  stop(drainTimeoutMs: number): Promise<void>;
  /** Of each listener that is open; a path as it is. */
  addresses(): readonly (AddressInfo | string)[];
  readonly connections: number;
  /** One for each listener, in order. */
  readonly listeners: readonly Server[];
}

const MOST_TICK_MS = 100;
const LEAST_TICK_MS = 5;

/** gRPC over HTTP/2, straight on sockets. */
export function wireServer(options: WireServerOptions): WireServer {
  const bounds: Bounds = { ...BOUNDS, ...options.bounds };
  const { maxConnections = MAX_CONNECTIONS, onFailed, onRefused } = options;
  const service = new RpcService({ ...RPC_BOUNDS, ...options });
  const flushes = flusher();
  const connections = new Set<Connection>();
  const sockets = new Set<Socket>();
  let stopping: Promise<void> | null = null;
  let ticker: NodeJS.Timeout | undefined;

  const application: Application = {
    open: service.open,
    closed: (connection) => connections.delete(connection),
    failed: (connection, error) => onFailed?.(error, connection.peer),
    refused: (bound) => onRefused?.(bound),
  };

  function accepted(socket: Socket): void {
    const connection = new Connection(socket, bounds, application, flushes);
    connections.add(connection);
    if (stopping !== null) connection.drain();
  }

  /** Of a TLS connection this is the socket below, which counts before it has shown anything. */
  function dialled(socket: Socket): void {
    if (sockets.size >= maxConnections) {
      onFailed?.(passed('max_connections', 'too many connections'), peerOf(socket));
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  }

  const servers = options.listeners.map(({ tls }): Server => {
    const { handshakeTimeoutMs } = bounds;
    if (tls !== undefined) return secureServer(tls, handshakeTimeoutMs, accepted).on('connection', dialled);
    return createServer({ noDelay: true }, accepted).on('connection', dialled);
  });

  function tick(): void {
    const nowMs = performance.now();
    for (const connection of connections) connection.life.tick(nowMs);
  }

  async function start(open: typeof listen = listen): Promise<void> {
    try {
      for (const [i, server] of servers.entries()) await open(options.listeners[i]!, server);
    } catch (error) {
      for (const server of servers) server.close();
      throw error;
    }
    ticker = setInterval(tick, tickMs(bounds));
    ticker.unref();
  }

  async function stop(drainTimeoutMs: number): Promise<void> {
    const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const connection of connections) connection.drain();
    // Of a TLS handshake that takes longer nobody waits for the end.
    const late = setTimeout(() => {
      const known = new Set([...connections].map(({ peer }) => peer));
      for (const socket of sockets) if (!known.has(peerOf(socket))) socket.destroy();
    }, DRAIN_STEP_MS);
    const force = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, drainTimeoutMs);
    await Promise.all(closed);
    clearTimeout(late);
    clearTimeout(force);
    clearInterval(ticker);
  }

  return {
    start,
    stop(drainTimeoutMs) {
      stopping ??= stop(drainTimeoutMs);
      return stopping;
    },
    addresses: () => servers.map((server) => server.address()).filter((address) => address !== null),
    listeners: servers,
    get connections() {
      return connections.size;
    },
  };
}

/** Short times want a quick clock. */
function tickMs(bounds: Bounds): number {
  const times = [bounds.handshakeTimeoutMs, bounds.keepaliveTimeMs, bounds.keepaliveTimeoutMs, bounds.stallTimeoutMs];
  const shortest = Math.min(...times.filter((ms) => ms > 0));
  return Math.max(LEAST_TICK_MS, Math.min(MOST_TICK_MS, shortest / 4));
}

function listen({ host, port, path }: Listener, server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const listening = (): void => {
      server.off('error', reject);
      // A connection that could not be accepted is one connection less, not the end of the port.
      server.on('error', () => {});
      resolve();
    };
    if (path !== undefined) server.listen(path, listening);
    else server.listen(port ?? 0, host, listening);
  });
}
