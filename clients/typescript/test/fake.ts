import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { Server, ServerCredentials, type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { HEALTH_WATCH, SHOULD_RATE_LIMIT, type WireRequest } from '../src/wire.ts';

/** A rate limit service that does what it is told, for what a real one does too seldom. */
export interface Fake {
  readonly address: string;
  readonly asked: WireRequest[];
  /** What it answers with; `unavailable` and silence are no answers. */
  answer: object | 'unavailable' | 'silence';
  /** How many of its callers have hung up. */
  gone: number;
  setServing(serving: boolean): void;
  /** Without an error. */
  endWatches(): void;
  close(): void;
}

export async function fake({ healthCheck = true } = {}): Promise<Fake> {
  const server = new Server();
  const watches = new Set<ServerWritableStream<object, object>>();
  let state = 1;
  const it: Fake = {
    address: '',
    asked: [],
    answer: { overallCode: 1, statuses: [{ code: 1 }] },
    gone: 0,
    setServing(serving) {
      state = serving ? 1 : 2;
      for (const watch of watches) watch.write({ status: state });
    },
    endWatches() {
      for (const watch of watches) watch.end();
      watches.clear();
    },
    close: () => server.forceShutdown(),
  };
  server.addService({ ShouldRateLimit: SHOULD_RATE_LIMIT } as never, {
    ShouldRateLimit(call: ServerUnaryCall<WireRequest, object>, done: (error: object | null, reply?: object) => void) {
      it.asked.push(call.request);
      call.on('cancelled', () => it.gone++);
      if (it.answer === 'unavailable') done({ code: status.UNAVAILABLE, details: 'the store is away' });
      else if (it.answer !== 'silence') done(null, it.answer as object);
    },
  });
  if (healthCheck) {
    server.addService({ Watch: HEALTH_WATCH } as never, {
      Watch(call: ServerWritableStream<object, object>) {
        watches.add(call);
        call.on('cancelled', () => watches.delete(call));
        call.write({ status: state });
      },
    });
  }
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? fail(error) : done(bound),
    );
  });
  return Object.assign(it, { address: `127.0.0.1:${port}` });
}

/** Takes connections and never says a word. */
export async function silence(): Promise<{ readonly address: string; close(): void }> {
  const open = new Set<Socket>();
  const listener = createServer((socket) => open.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    close() {
      listener.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Passes on what it is told to `address`, and counts who comes. */
export async function relay(address: string): Promise<{ readonly address: string; count(): number; close(): void }> {
  const [host = '', port] = address.split(':');
  const open = new Set<Socket>();
  let count = 0;
  const listener = createServer((near) => {
    count++;
    const far = createConnection(Number(port), host);
    for (const socket of [near, far]) open.add(socket.on('error', () => {}));
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    address: `127.0.0.1:${(listener.address() as { port: number }).port}`,
    count: () => count,
    close() {
      listener.close();
      for (const socket of open) socket.destroy();
    },
  };
}
