import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface HttpUpstream {
  readonly port: number;
  /** What came through, in order. */
  readonly seen: readonly SeenRequest[];
  stop(): Promise<void>;
}

const MAX_HEADER_BYTES = 256 * 1024;
const ANSWER_PREFIX = 'x-answer-';

/**
 * Answers every request with 200 and the body `upstream`. A request header `x-answer-NAME` comes back as the response
 * header NAME, so that a test chooses what the application says.
 */
export async function httpUpstream(): Promise<HttpUpstream> {
  const seen: SeenRequest[] = [];
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 60_000 }, (request, response) => {
    seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
    for (const [name, value] of Object.entries(request.headers)) {
      if (name.startsWith(ANSWER_PREFIX)) response.setHeader(name.slice(ANSWER_PREFIX.length), value ?? '');
    }
    response.setHeader('content-type', 'text/plain');
    request.resume().once('end', () => response.end('upstream'));
  });
  const port = await listen(server);
  return {
    port,
    seen,
    async stop() {
      server.closeAllConnections();
      await close(server);
    },
  };
}

export interface TcpUpstream {
  readonly port: number;
  /** How many connections it has accepted so far. */
  accepted(): number;
  stop(): Promise<void>;
}

/** Sends back what it gets. */
export async function tcpUpstream(): Promise<TcpUpstream> {
  let accepted = 0;
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    accepted++;
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => open.delete(socket));
    socket.pipe(socket);
  });
  const port = await listen(server);
  return {
    port,
    accepted: () => accepted,
    async stop() {
      for (const socket of open) socket.destroy();
      await close(server);
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => done());
  });
}
