import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { UnaryHandler } from '../../src/grpc/handler.ts';
import { health } from '../../src/grpc/health.ts';
import { type GrpcServer, type GrpcServerOptions, grpcServer } from '../../src/grpc/server.ts';
import { eventually } from '../support/eventually.ts';
import { lateProxy } from '../support/late-proxy.ts';
import { gate } from './gate.ts';

const ECHO = '/t.T/Echo';
const WAIT = '/t.T/Wait';
/** One gRPC message of no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);

describe('the age of a connection', () => {
  const closers: (() => unknown)[] = [];
  let server: GrpcServer;
  let release: () => void;
  let arrived: Promise<void>;
  let peers: Set<string>;

  async function start(options: Partial<GrpcServerOptions>): Promise<string> {
    const { opened, open } = gate();
    const { opened: came, open: comes } = gate();
    peers = new Set();
    release = open;
    arrived = came;
    const echo: UnaryHandler = async (message, { peer }) => {
      peers.add(peer);
      return message;
    };
    const wait: UnaryHandler = async (message) => {
      comes();
      await opened;
      return message;
    };
    const handlers = { [ECHO]: echo, [WAIT]: wait };
    server = grpcServer({
      place: { host: '127.0.0.1', port: 0 },
      handlers,
      services: [],
      health: health(),
      drainTimeoutMs: 100,
      ...options,
    });
    await server.start();
    closers.push(() => server.stop());
    return server.target()!;
  }

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** A plain HTTP/2 client: it sees GOAWAYs, and goes on sending if a test wants it to. */
  function session(target: string): ClientHttp2Session {
    const made = connect(`http://${target}`);
    made.on('error', () => {});
    closers.push(() => made.destroy());
    return made;
  }

  function call(on: ClientHttp2Session, path: string): ClientHttp2Stream {
    const stream = on.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', () => {});
    stream.resume();
    stream.end(EMPTY_MESSAGE);
    return stream;
  }

  /** `grpc-status` of the answer, or why there is none. */
  async function statusOf(stream: ClientHttp2Stream): Promise<string> {
    const trailers = once(stream, 'trailers').then(([headers]) => String(headers['grpc-status']));
    const closed = once(stream, 'close').then(() => `closed with ${stream.rstCode}`);
    return Promise.race([trailers, closed]);
  }

  it('loses none of 4,000 calls of 4 clients whose connections live for 40 ms', async () => {
    const target = await start({ maxConnectionAgeMs: 40 });
    const answers: number[] = [];
    const clients = Array.from({ length: 4 }, () => {
      const client = new Client(target, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
      closers.push(() => client.close());
      return client;
    });
    const ask = (client: Client) =>
      new Promise<void>((done) => {
        const asIs = (bytes: Buffer) => bytes;
        const deadline = Date.now() + 30_000;
        const told = (error: ServiceError | null) => {
          answers.push(error?.code ?? 0);
          done();
        };
        client.makeUnaryRequest(ECHO, asIs, asIs, Buffer.alloc(0), new Metadata(), { deadline }, told);
      });
    await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: 10 }, async () => {
          for (let i = 0; i < 100; i++) await ask(client);
        }),
      ),
    );
    expect(answers).to.deep.equal(new Array(4_000).fill(0));
    expect(peers.size).to.be.greaterThan(clients.length);
  });

  it('answers calls that were sent before the client could know, though the network takes 50 ms to tell it', async () => {
    const target = await start({ maxConnectionAgeMs: 200 });
    const proxy = await lateProxy(Number(new URL(`tcp://${target}`).port), 50);
    closers.push(() => proxy.close());
    const client = session(`127.0.0.1:${proxy.port}`);
    const told = once(client, 'goaway');
    const statuses: Promise<string>[] = [];
    const callers = Array.from({ length: 10 }, async () => {
      // Its own close is what a client makes of a GOAWAY.
      while (!client.closed) {
        const status = statusOf(call(client, ECHO));
        statuses.push(status);
        await status;
      }
    });
    const [, last] = await told;
    await Promise.all(callers);
    expect(last).to.equal(2 ** 31 - 1);
    expect([...new Set(await Promise.all(statuses))]).to.deep.equal(['0']);
  });

  it('asks a connection to leave at its next call, lets the calls on it finish, and closes it then', async () => {
    const target = await start({ maxConnectionAgeMs: 1 });
    const client = session(target);
    const slow = statusOf(call(client, WAIT));
    await arrived;
    await eventually('the connection to be old', async () => {
      if (!client.closed) await statusOf(call(client, ECHO));
      return client.closed;
    });
    expect(client.destroyed).to.equal(false);
    const closed = once(client, 'close');
    release();
    expect(await slow).to.equal('0');
    await closed;
  });

  it('cuts a call that outlives the grace', async () => {
    const target = await start({ maxConnectionAgeMs: 1, maxConnectionAgeGraceMs: 20 });
    const client = session(target);
    const slow = statusOf(call(client, WAIT));
    await arrived;
    const closed = once(client, 'close');
    await eventually('the connection to be old', async () => {
      if (!client.closed) await statusOf(call(client, ECHO));
      return client.closed;
    });
    await closed;
    expect(await slow).to.match(/^closed with /);
  });

  it('leaves alone a connection that says nothing, and one where there is no age', async () => {
    for (const maxConnectionAgeMs of [1, 0]) {
      const target = await start({ maxConnectionAgeMs });
      const young = session(target);
      await once(young, 'remoteSettings');
      const other = session(target);
      await eventually('time to pass', async () => {
        if (maxConnectionAgeMs === 0) return true;
        if (!other.closed) await statusOf(call(other, ECHO));
        return other.closed;
      });
      expect(young.closed).to.equal(false);
      expect(await statusOf(call(young, ECHO))).to.equal('0');
    }
  });
});
