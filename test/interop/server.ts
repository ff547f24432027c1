import { once } from 'node:events';
import { type AddressInfo, createServer, Server, type Socket } from 'node:net';
import { certificates } from '../../src/grpc/certificates.ts';
import { HEALTH_CHECK, HEALTH_WATCH, health } from '../../src/grpc/health.ts';
import { reflection } from '../../src/grpc/reflection.ts';
import { secureServer } from '../../src/grpc/secure-server.ts';
import { BOUNDS } from '../../src/wire/http2/bounds.ts';
import type { Method } from '../../src/wire/rpc/method.ts';
import { type WireServer, wireServer } from '../../src/wire/server.ts';
import type { Signed } from '../support/certificates.ts';
import { type Director, director } from './director.ts';
import { statusOf, testService } from './test-service.ts';

const STOP_MS = 100;
/** Calls of a drain have so long; it must be longer than a client takes for them. */
const DRAIN_MS = 60_000;

/** grpc.testing.TestService, health and reflection on wire, at a port of 127.0.0.1. */
export interface InteropServer extends Pick<Director, 'seen' | 'forget'> {
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Bytes that came from sockets since the start. */
  bytesRead(): number;
  /** What ended connections, in words. */
  readonly failures: readonly string[];
  /** GOAWAY to all connections that there are. New ones are welcome: the port is never closed. */
  drain(): void;
  close(): Promise<void>;
}

/** The listener of a server that is handed its connections, so that a port outlives the servers behind it. */
class Door extends Server {
  private readonly sockets = new Set<Socket>();
  private shut: (() => void) | null = null;

  admit(socket: Socket): void {
    this.sockets.add(socket);
    this.emit('connection', socket);
    socket.on('close', () => {
      this.sockets.delete(socket);
      if (this.sockets.size === 0) this.shut?.();
    });
  }

  override close(done: () => void = () => {}): this {
    if (this.sockets.size === 0) done();
    else this.shut = done;
    return this;
  }
}

export async function interopServer(tls?: Signed): Promise<InteropServer> {
  const state = health();
  state.set(true);
  const failures: string[] = [];
  const drained: Promise<void>[] = [];
  let bytesRead = 0;
  const direct = director({ drain, serve: (serving) => state.set(serving) });
  const methods = new Map<string, Method>(testService(direct));
  methods.set(HEALTH_CHECK, { kind: 'unary', serve: state.check });
  methods.set(HEALTH_WATCH, { kind: 'stream', serve: state.watch });
  for (const [path, serve] of Object.entries(reflection())) methods.set(path, { kind: 'stream', serve });

  function behind(): { readonly server: WireServer; admit(socket: Socket): void } {
    const door = new Door();
    let admit = (_: Socket): void => {};
    const through = (admitted: typeof admit) => {
      admit = admitted;
      return door;
    };
    const onFailed = (error: Error): void => void failures.push(error.message);
    const server = wireServer({ listeners: [{ through }], methods, statusOf, onFailed });
    void server.start(async () => {});
    return {
      server,
      admit(socket) {
        door.admit(socket);
        admit(socket);
      },
    };
  }

  let now = behind();

  function drain(): void {
    const before = now;
    now = behind();
    drained.push(before.server.stop(DRAIN_MS));
  }

  const admit = (socket: Socket): void => {
    now.admit(socket);
    socket.on('close', () => {
      bytesRead += socket.bytesRead;
    });
  };
  const port = tls === undefined ? createServer(admit) : secureServer(tlsOf(tls), BOUNDS.handshakeTimeoutMs, admit);
  port.listen(0, '127.0.0.1');
  await once(port, 'listening');
  const { port: number } = port.address() as AddressInfo;

  return {
    port: number,
    address: `127.0.0.1:${number}`,
    get seen() {
      return direct.seen;
    },
    forget: () => direct.forget(),
    bytesRead: () => bytesRead,
    failures,
    drain,
    async close() {
      state.close();
      port.close();
      await Promise.all([now.server.stop(STOP_MS), ...drained]);
    },
  };
}

function tlsOf({ cert, key }: Signed) {
  const files = { cert: { path: cert, setting: 'cert' }, key: { path: key, setting: 'key' }, clientCa: null };
  return { certificates: certificates(files), clientName: null };
}
