import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { HEALTH_CHECK, HEALTH_WATCH, health } from '../../src/grpc/health.ts';
import { reflection } from '../../src/grpc/reflection.ts';
import type { Method } from '../../src/wire/rpc/method.ts';
import { type WireServer, wireServer } from '../../src/wire/server.ts';
import type { Signed } from '../support/certificates.ts';
import { ownTls } from '../support/own-tls.ts';
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

export async function interopServer(signed?: Signed): Promise<InteropServer> {
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

  /** A server that is handed its connections, so that the port outlives it. */
  function behind(): { readonly server: WireServer; admit(socket: Socket): void } {
    const onFailed = (error: Error): void => void failures.push(error.message);
    const tls = signed === undefined ? undefined : ownTls(signed);
    const server = wireServer({ listeners: [{ tls }], methods, statusOf, onFailed });
    void server.start(async () => {});
    const listener = server.listeners[0]!;
    const sockets = new Set<Socket>();
    // Of these connections it knows nothing, and would not wait for them.
    listener.close = (done = () => {}) => {
      void Promise.all([...sockets].map((socket) => once(socket, 'close'))).then(() => done());
      return listener;
    };
    return {
      server,
      admit(socket) {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        listener.emit('connection', socket);
      },
    };
  }

  let now = behind();

  function drain(): void {
    const before = now;
    now = behind();
    drained.push(before.server.stop(DRAIN_MS));
  }

  const port = createServer({ noDelay: true }, (socket) => {
    now.admit(socket);
    socket.on('close', () => {
      bytesRead += socket.bytesRead;
    });
  });
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
