import { createHash } from 'node:crypto';
import { Client, credentials, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { expect } from 'chai';
import fc from 'fast-check';
import { RPC_CODE, RpcError, type StreamHandler, type UnaryHandler } from '../../src/grpc/handler.ts';
import { health } from '../../src/grpc/health.ts';
import { type GrpcServer, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { GRPC_BOUNDS } from './bounds.ts';

/** Calls that are made to each transport. */
const RUNS = Number(process.env.TRANSPORT_RUNS || 10_000);
/** Set it to the seed that a failure tells. */
const SEED = Number(process.env.TRANSPORT_SEED || Math.floor(Math.random() * 2 ** 31));
const IN_FLIGHT = 50;
const ECHO = '/t.T/Echo';
const FAIL = '/t.T/Fail';
const BUG = '/t.T/Bug';
const CHAT = '/t.T/Chat';
const MOST_BYTES = 70_000;

interface Asked {
  readonly path: string;
  readonly messages: readonly Uint8Array[];
}

/** Everything that a caller can tell of a call. */
interface Told {
  readonly code: number;
  readonly details: string;
  readonly replies: readonly string[];
  readonly trailers: Readonly<Record<string, unknown>>;
}

const codes = Object.values(RPC_CODE).filter((code) => code !== RPC_CODE.ok);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.nat(MOST_BYTES + 50).map((length) => new Uint8Array(length).fill(length & 0xff)),
);
/** In a stream grpc-js may leave the caller of a message that is too large without an answer. */
const fewBytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.nat(20_000).map((length) => new Uint8Array(length)),
);
/** The first byte is the code, the rest are the UTF-16 code units of the message, lone surrogates among them. */
const failure = fc
  .record({
    code: fc.constantFrom(...codes),
    text: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ maxLength: 40 }),
      fc.constantFrom('%', '%41 é\n'),
    ),
  })
  .map(({ code, text }) => Buffer.concat([Buffer.of(code), Buffer.from(text, 'utf16le')]));
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({ path: fc.constantFrom(ECHO, ECHO, BUG, '/t.T/None', '/no.Service/Method'), messages: fc.tuple(bytes) }),
  fc.record({ path: fc.constant(FAIL), messages: fc.tuple(failure) }),
  fc.record({ path: fc.constant(CHAT), messages: fc.array(fewBytes, { maxLength: 4 }) }),
);

const handlers: Record<string, UnaryHandler> = {
  [ECHO]: async (message) => message,
  [FAIL]: async (message) => {
    const text = Buffer.from(message.subarray(1)).toString('utf16le');
    throw new RpcError(message[0] as (typeof codes)[number], text);
  },
  [BUG]: async () => {
    throw new TypeError('bug');
  },
};
const chat: StreamHandler = async (call) => {
  for await (const message of call.messages) {
    if (message.length === 13) throw new RpcError(RPC_CODE.failedPrecondition, 'thirteen');
    await call.send(message);
  }
};

const digest = (reply: Buffer): string => `${reply.length} ${createHash('sha1').update(reply).digest('hex')}`;

describe('the transports', function () {
  this.timeout(60_000 + RUNS * 20);
  const servers: GrpcServer[] = [];
  const clients: Client[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const server of servers.splice(0)) await server.stop();
  });

  async function clientOf(transport: Transport): Promise<Client> {
    const options = { transport, place: { host: '127.0.0.1', port: 0 }, health: health(), maxMessageBytes: MOST_BYTES };
    const server = grpcServer({ ...GRPC_BOUNDS, ...options, handlers, streams: { [CHAT]: chat } });
    await server.start();
    servers.push(server);
    const client = new Client(server.target()!, credentials.createInsecure());
    clients.push(client);
    return client;
  }

  function ask(client: Client, { path, messages }: Asked): Promise<Told> {
    const asIs = (buffer: Buffer) => buffer;
    const options = { deadline: Date.now() + 60_000 };
    return new Promise((resolve) => {
      const replies: string[] = [];
      const told = ({ code, details, metadata }: StatusObject | ServiceError): void => {
        const trailers: Record<string, unknown> = metadata.toJSON();
        // HTTP's own, in the answers that are trailers only.
        for (const name of ['content-type', 'date']) delete trailers[name];
        // What is not there, or too large, is told in the words of each.
        const words = code === 12 || code === 8 || code === 0 ? '' : details;
        resolve({ code, details: words, replies, trailers });
      };
      if (path === CHAT) {
        const stream = client.makeBidiStreamRequest(path, asIs, asIs, new Metadata(), options);
        stream.on('data', (reply: Buffer) => replies.push(digest(reply)));
        stream.on('error', () => {});
        stream.on('status', told);
        for (const message of messages) stream.write(Buffer.from(message));
        stream.end();
      } else {
        const done = (_: unknown, reply?: Buffer) => void (reply && replies.push(digest(reply)));
        const message = Buffer.from(messages[0]!);
        client.makeUnaryRequest(path, asIs, asIs, message, new Metadata(), options, done).on('status', told);
      }
    });
  }

  it(`answer ${RUNS} random calls alike: replies, status and trailers`, async () => {
    const reference = await clientOf('grpc-js');
    const wire = await clientOf('wire');
    const all = fc.sample(asked, { seed: SEED, numRuns: RUNS });
    const seen: Record<number, number> = {};
    let next = 0;
    const caller = async () => {
      while (next < all.length) {
        const i = next++;
        const [expected, told] = await Promise.all([ask(reference, all[i]!), ask(wire, all[i]!)]);
        expect(told, `seed ${SEED}, call ${i} of ${all[i]!.path}`).to.deep.equal(expected);
        seen[told.code] = (seen[told.code] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
    expect(Object.keys(seen).map(Number)).to.include.members([0, 3, 8, 12, 13]);
  });
});
