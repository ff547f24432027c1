import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { UnaryHandler } from '../../src/grpc/handler.ts';
import { health } from '../../src/grpc/health.ts';
import { type GrpcServerOptions, grpcServer } from '../../src/grpc/server.ts';
import { eventually } from '../support/eventually.ts';
import { GRPC_BOUNDS } from './bounds.ts';
import { gate } from './gate.ts';

const ECHO = '/t.T/Echo';
const WAIT = '/t.T/Wait';
/** One gRPC message of no bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);

const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY] = [0, 1, 3, 4, 6, 7];
const [ACK, END_STREAM, END_HEADERS] = [1, 1, 4];

/** A field of a header block, neither indexed nor compressed (RFC 7541, section 6.2.2). */
function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}

const REQUEST = Buffer.concat([
  field(':method', 'POST'),
  field(':scheme', 'http'),
  field(':path', ECHO),
  field(':authority', 'weir.test'),
  field('content-type', 'application/grpc'),
  field('te', 'trailers'),
]);

function frame(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

function onFrames(socket: Socket, told: (frame: Frame) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (piece) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      told({ type: rest[3]!, flags: rest[4]!, id: rest.readUInt32BE(5), payload: rest.subarray(9, end) });
      rest = rest.subarray(end);
    }
  });
}

for (const transport of ['grpc-js', 'wire'] as const) {
  describe(`the age of a connection on ${transport}`, () => {
    const closers: (() => unknown)[] = [];
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
      const server = grpcServer({
        ...GRPC_BOUNDS,
        transport,
        place: { host: '127.0.0.1', port: 0 },
        handlers,
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
      const stream = on.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
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

    it('loses none of 2,000 calls of 4 clients whose connections live for 40 ms', async () => {
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
            for (let i = 0; i < 50; i++) await ask(client);
          }),
        ),
      );
      expect(answers).to.deep.equal(new Array(2_000).fill(0));
      expect(peers.size).to.be.greaterThan(clients.length);
    });

    it('answers a call that was under way when the client was asked to leave, and names it as the last', async () => {
      const target = await start({ maxConnectionAgeMs: 1 });
      const { port } = new URL(`tcp://${target}`);
      const socket = createConnection({ host: '127.0.0.1', port: Number(port) });
      closers.push(() => socket.destroy());
      const seen: string[] = [];
      let next = 1;
      const send = (): void => {
        socket.write(
          Buffer.concat([frame(HEADERS, END_HEADERS, next, REQUEST), frame(DATA, END_STREAM, next, EMPTY_MESSAGE)]),
        );
        next += 2;
      };
      let asked = false;
      onFrames(socket, ({ type, flags, id, payload }) => {
        if (type === GOAWAY) {
          seen.push(`goaway ${payload.readUInt32BE(0)}`);
          // As good as sent before: the client has not answered the ping that follows.
          if (!asked) send();
          asked = true;
        } else if (type === PING && (flags & ACK) === 0) {
          socket.write(frame(PING, ACK, 0, payload));
        } else if (type === SETTINGS && (flags & ACK) === 0) {
          socket.write(frame(SETTINGS, ACK, 0));
        } else if (type === HEADERS && (flags & END_STREAM) !== 0) {
          seen.push(`answer ${id}`);
          if (!asked) send();
        } else if (type === RST_STREAM) {
          seen.push(`reset ${id}`);
        }
      });
      const closed = once(socket, 'close');
      socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]));
      send();
      await closed;
      const last = next - 2;
      const ids = Array.from({ length: next >> 1 }, (_, i) => 2 * i + 1);
      expect(seen.filter((it) => it.startsWith('answer'))).to.have.members(ids.map((id) => `answer ${id}`));
      expect(seen.filter((it) => it.startsWith('reset'))).to.deep.equal([]);
      const goaways = new Set(seen.filter((it) => it.startsWith('goaway')));
      expect([...goaways]).to.deep.equal([`goaway ${2 ** 31 - 1}`, `goaway ${last}`]);
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
}
