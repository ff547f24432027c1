import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { BOUNDS, type Bounds, type Refusal } from '../../src/wire/http2/bounds.ts';
import { Connection } from '../../src/wire/http2/connection.ts';
import { flusher } from '../../src/wire/http2/flusher.ts';
import { RPC_BOUNDS } from '../../src/wire/rpc/bounds.ts';
import type { Method, StreamContext } from '../../src/wire/rpc/method.ts';
import { type RpcOptions, RpcService } from '../../src/wire/rpc/service.ts';
import type { Status } from '../../src/wire/rpc/status.ts';
import { type WireServer, type WireServerOptions, wireServer } from '../../src/wire/server.ts';
import { gate } from '../grpc/gate.ts';
import { GREETING, type Peer, peer } from './peer.ts';

export class Refused extends Error {
  readonly code: number;
  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** A server with methods for tests, and what it was told. */
export interface Bed {
  readonly server: WireServer;
  readonly port: number;
  /** Calls of Echo that were begun. */
  begun(): number;
  /** Lets every call of Wait, begun or to come, be answered. */
  release(): void;
  /** What ended connections, in words. */
  readonly failures: string[];
  peer(): Promise<Peer>;
  end(): Promise<void>;
}

export const ECHO = '/test.T/Echo';
export const WAIT = '/test.T/Wait';
export const FAIL = '/test.T/Fail';
/** Answers its message so many times as its first byte says. */
export const MANY = '/test.T/Many';
/** Sends back each message as it comes. */
export const CHAT = '/test.T/Chat';
/** Reads no message, ever. */
export const IDLE = '/test.T/Idle';
/** Answers so many bytes as the message says in decimal. */
export const SIZE = '/test.T/Size';

export async function bed(options: Partial<WireServerOptions> = {}): Promise<Bed> {
  let begun = 0;
  const { opened, open } = gate();
  const failures: string[] = [];
  const peers: Peer[] = [];
  const methods = testMethods(() => begun++, opened);
  const server = wireServer({
    listeners: [{ host: '127.0.0.1' }],
    methods,
    statusOf,
    onFailed: (error) => failures.push(error.message),
    ...options,
  });
  await server.start();
  const { port } = server.addresses()[0] as AddressInfo;
  return {
    server,
    port,
    begun: () => begun,
    release: open,
    failures,
    async peer() {
      const one = await peer(port);
      peers.push(one);
      return one;
    },
    async end() {
      open();
      for (const one of peers) one.close();
      await server.stop(100);
    },
  };
}

/** Called in a `describe`: what its cases open, one at a time, ends with the case. */
export function bedOfCase() {
  let opened: Bed;

  afterEach(() => opened.end());

  return {
    async open(options: Partial<WireServerOptions> = {}): Promise<Bed> {
      opened = await bed(options);
      return opened;
    },
    /** The one that is open. */
    current: (): Bed => opened,
    /** A peer of it that has said its first words, and these. */
    async greeted(...first: readonly Uint8Array[]): Promise<Peer> {
      const one = await opened.peer();
      one.send(GREETING, ...first);
      return one;
    },
  };
}

function testMethods(begin: () => void, opened: Promise<void>): ReadonlyMap<string, Method> {
  const methods: Record<string, Method> = {
    [ECHO]: {
      kind: 'unary',
      async serve(message) {
        begin();
        return message;
      },
    },
    [WAIT]: {
      kind: 'unary',
      async serve(message) {
        begin();
        await opened;
        return message;
      },
    },
    [FAIL]: {
      kind: 'unary',
      async serve(message) {
        throw new Refused(message[0] ?? 3, Buffer.from(message.subarray(1)).toString());
      },
    },
    [SIZE]: {
      kind: 'unary',
      serve: async (message) => Buffer.alloc(Number(Buffer.from(message).toString()), 0x78),
    },
    [MANY]: {
      kind: 'stream',
      async serve(call: StreamContext) {
        for await (const message of call.messages) for (let i = 0; i < message[0]!; i++) await call.send(message);
      },
    },
    [CHAT]: {
      kind: 'stream',
      async serve(call: StreamContext) {
        for await (const message of call.messages) await call.send(message);
      },
    },
    [IDLE]: {
      kind: 'stream',
      serve: (call) => new Promise((resolve) => call.onCancelled(resolve)),
    },
  };
  return new Map(Object.entries(methods));
}

function statusOf(error: unknown): Status {
  if (error instanceof Refused) return { code: error.code, message: error.message };
  return { code: 13, message: 'internal error' };
}

/** The clock of wire in whole milliseconds, of which sums are exact; never before what has just happened. */
export const wholeMs = (): number => Math.ceil(performance.now());

/** One connection without a socket: what it hears in one call is one read of it. */
export interface InProcess {
  readonly connection: Connection;
  readonly service: RpcService;
  /** What has ended it. */
  readonly errors: Error[];
  /** The bounds that have refused calls. */
  readonly refused: Refusal[];
  /** Bytes that the server has said. */
  said(): Buffer;
  /** Calls of Echo and Wait that were begun. */
  begun(): number;
  /** The socket takes nothing more; and takes all again. */
  hold(): void;
  letGo(): void;
  hear(...pieces: readonly Uint8Array[]): void;
}

export function inProcess(
  options: { readonly bounds?: Partial<Bounds>; readonly calls?: Partial<RpcOptions> } = {},
): InProcess {
  const errors: Error[] = [];
  const refused: Refusal[] = [];
  const said: Buffer[] = [];
  let begun = 0;
  let held: (() => void) | null = null;
  let holds = false;
  const methods = testMethods(() => begun++, Promise.resolve());
  const service = new RpcService({ ...RPC_BOUNDS, methods, statusOf, ...options.calls });
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      // The server uses its buffers again.
      said.push(Buffer.from(chunk));
      if (holds) held = done;
      else done();
    },
  });
  const application = {
    open: service.open,
    closed() {},
    failed: (_: Connection, error: Error) => errors.push(error),
    refused: (bound: Refusal) => refused.push(bound),
  };
  const connection = new Connection(
    socket as unknown as Socket,
    { ...BOUNDS, ...options.bounds },
    application,
    flusher(),
  );
  return {
    connection,
    service,
    errors,
    refused,
    said: () => Buffer.concat(said),
    begun: () => begun,
    hold() {
      holds = true;
    },
    letGo() {
      holds = false;
      held?.();
      held = null;
    },
    hear: (...pieces) => void socket.emit('data', Buffer.concat(pieces)),
  };
}
