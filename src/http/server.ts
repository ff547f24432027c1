import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Caller, Part } from '../core/ports.ts';
import { type HttpHandler, type HttpReply, TEXT, textReply } from './exchange.ts';

export interface HttpServerOptions {
  readonly name: string;
  /** '' listens on all interfaces, `::` on those of both families. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** By exact path. Handlers take any method. */
  readonly routes: Readonly<Record<string, HttpHandler>>;
  /** Answers paths that no route has. Default: 404. */
  readonly fallback?: HttpHandler;
  /** A larger body is refused with 413. Default 4 MiB. */
  readonly maxBodyBytes?: number;
  /** For one more, the connection that has idled longest is closed; it is refused when all are busy. Default 1024. */
  readonly maxConnections?: number;
  /** How long a caller may take to send its headers. Default 10 s. */
  readonly headersTimeoutMs?: number;
  /** How long a caller may take to send a whole request. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may idle between requests. Default 75 s. */
  readonly keepAliveTimeoutMs?: number;
  /** `stop` waits this long for answers under way, then cuts them. Default 5 s. */
  readonly stopTimeoutMs?: number;
  /** Told of what a handler threw, and when a connection could not be accepted. */
  readonly onError?: (error: unknown) => void;
}

export interface HttpServer extends Part {
  /** Where it listens; null before `start` and after `stop`. */
  address(): AddressInfo | null;
}

const DEFAULTS = {
  maxBodyBytes: 4_194_304,
  maxConnections: 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  stopTimeoutMs: 5_000,
} as const;

const NOT_FOUND = textReply(404, 'Not Found\n');
const TOO_LARGE = textReply(413, 'Request Entity Too Large\n');
const FAILED = textReply(500, 'Internal Server Error\n');
/** What Node says of a connection it can't read, and what the caller is told. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

/** A small HTTP server. A port that is taken makes `start` reject. */
export function httpServer(options: HttpServerOptions): HttpServer {
  const bounds = { ...DEFAULTS, ...options };
  const routes = new Map(Object.entries(options.routes));
  const fallback = options.fallback ?? (() => NOT_FOUND);
  const onError = options.onError ?? (() => undefined);
  /** Answers that are not out yet, by connection, in the order of their requests. */
  const underWay = new Map<Duplex, Set<ServerResponse>>();
  /** In the order of their last answers, or of their coming where there was none yet. */
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  let stopping: Promise<void> | null = null;

  async function replyTo(request: IncomingMessage): Promise<HttpReply> {
    const target = request.url ?? '/';
    const query = target.indexOf('?');
    const path = query === -1 ? target : target.slice(0, query);
    const body = await bodyOf(request, bounds.maxBodyBytes);
    if (body === null) return TOO_LARGE;
    const handler = routes.get(path) ?? fallback;
    return handler({ method: request.method ?? 'GET', path, body, caller: callerOn(request.socket) });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const answers = underWay.get(socket) ?? new Set();
    underWay.set(socket, answers.add(response));
    response.once('close', () => {
      answers.delete(response);
      if (answers.size > 0) return;
      underWay.delete(socket);
      if (sockets.delete(socket)) sockets.add(socket);
    });
    let reply: HttpReply;
    try {
      reply = await replyTo(request);
    } catch (error) {
      // The caller went away in the middle of its body.
      if (!request.complete) return;
      onError(error);
      reply = FAILED;
    }
    send(response, reply, stopping !== null);
  }

  /** Bytes that are no HTTP: refused at once, but not before the answers to the requests they came after. */
  function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const last = [...(underWay.get(socket) ?? [])].at(-1);
    if (last?.req.complete) {
      last.once('close', () => socket.destroy());
    } else if (socket.writable) {
      const status = UNREADABLE[error.code ?? ''] ?? '400 Bad Request';
      const body = `${status.slice(4)}\n`;
      const head = `content-type: ${TEXT}\r\ncontent-length: ${body.length}\r\nconnection: close`;
      socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy());
    } else {
      socket.destroy();
    }
  }

  /** Idle connections do not keep anybody out, least of all the probe that decides whether the process lives. */
  function admit(socket: Socket): void {
    if (sockets.size >= bounds.maxConnections) {
      const idle = [...sockets].find((each) => !underWay.has(each));
      if (idle === undefined) {
        socket.destroy();
        return;
      }
      sockets.delete(idle);
      idle.destroy();
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }

  async function start(): Promise<void> {
    const made = createServer({
      headersTimeout: bounds.headersTimeoutMs,
      requestTimeout: bounds.requestTimeoutMs,
      keepAliveTimeout: bounds.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, bounds.headersTimeoutMs),
    });
    made.on('request', (request, response) => void serve(request, response));
    made.on('clientError', refuse);
    made.on('connection', admit);
    await new Promise<void>((listening, failed) => {
      made.once('error', (error) => {
        const where = `${options.host || '*'}:${options.port}`;
        failed(new Error(`the ${options.name} port cannot listen on ${where}: ${error.message}`, { cause: error }));
      });
      // Node's own choice where there is no IPv6.
      const everywhere = options.host === '' || options.host === '::';
      made.listen({ port: options.port, ...(everywhere ? {} : { host: options.host }) }, () => {
        made.removeAllListeners('error').on('error', onError);
        listening();
      });
    });
    server = made;
  }

  async function close(): Promise<void> {
    if (server === null) return;
    const closing = server;
    const closed = new Promise<void>((done) => closing.close(() => done()));
    const late = setTimeout(() => closing.closeAllConnections(), bounds.stopTimeoutMs);
    // Answers from now on close their connection; one that was just being written leaves it idle.
    const sweep = setInterval(() => closing.closeIdleConnections(), 50);
    closing.closeIdleConnections();
    // Who has not said a word has no answer to lose; to Node such a connection is not idle.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    await closed;
    clearTimeout(late);
    clearInterval(sweep);
    server = null;
  }

  return {
    name: options.name,
    start,
    stop() {
      stopping ??= close();
      return stopping;
    },
    address: () => (server?.address() as AddressInfo | undefined) ?? null,
  };
}

/** A connection that the caller has closed takes no answer any more, and Node ends our side of it at once. */
function callerOn(socket: Socket): Caller {
  return {
    deadlineMs: null,
    get cancelled() {
      return !socket.writable;
    },
  };
}

/** null when it is larger than `maxBytes`: the rest is read and thrown away, so that the caller sees the answer. */
function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    let parts: Uint8Array[] = [];
    let size = 0;
    request.on('data', (part: Uint8Array) => {
      size += part.length;
      if (size <= maxBytes) {
        parts.push(part);
        return;
      }
      parts = [];
      resolve(null);
    });
    request.once('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('the connection closed in the middle of a request')));
  });
}

function send(response: ServerResponse, reply: HttpReply, last: boolean): void {
  if (response.destroyed) return;
  response.writeHead(reply.status, {
    ...reply.headers,
    ...(reply.contentType === '' ? {} : { 'content-type': reply.contentType }),
    'content-length': Buffer.byteLength(reply.body),
    ...(last ? { connection: 'close' } : {}),
  });
  response.end(reply.body);
}
