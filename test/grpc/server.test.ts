import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { createConnection } from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { Decision } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import { CallerGoneError, NoRulesError, StoreError } from '../../src/core/ports.ts';
import { type CheckRequest, RequestError } from '../../src/core/request.ts';
import { type CallContext, RPC_CODE, type UnaryHandler } from '../../src/grpc/handler.ts';
import { HEALTH_CHECK, HEALTH_WATCH, type Health, health } from '../../src/grpc/health.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { type GrpcServer, type GrpcServerOptions, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { SHOULD_RATE_LIMIT, shouldRateLimit } from '../../src/grpc/should-rate-limit.ts';
import { eventually } from '../support/eventually.ts';
import { GRPC_BOUNDS } from './bounds.ts';
import { decision, limited, verdict } from './decisions.ts';
import { gate } from './gate.ts';
import { bytes } from './wire.ts';

const { requestSerialize, responseDeserialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
  .ShouldRateLimit!;
const REQUEST = requestSerialize({ domain: 'd', descriptors: [{ entries: [{ key: 'k', value: 'v' }] }] });

/** The preface of HTTP/2 and empty settings. */
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)]);

interface Answer {
  readonly code: number;
  readonly details: string;
  readonly message: Buffer | null;
}

for (const transport of ['grpc-js', 'wire'] as const) describe(`grpcServer on ${transport}`, () => suite(transport));

function suite(transport: Transport): void {
  let decide: (request: CheckRequest) => Promise<Decision>;
  let bugs: unknown[];
  let unreadable: string[];
  let calls: string[];
  let state: Health;
  let server: GrpcServer;
  let client: Client;
  const ended: (() => unknown)[] = [];

  async function start(part: Partial<GrpcServerOptions> = {}, host = '127.0.0.1'): Promise<void> {
    const onCall = (method: string, code: number) => calls.push(`${method} ${code}`);
    state = health({ onCall });
    const handler = shouldRateLimit({
      limiter: { decide: (request) => decide(request) },
      project: () => ({ headers: [], metadata: null }),
      onBug: (error) => bugs.push(error),
      onCall,
      onUnreadable: (error) => unreadable.push(error.message),
    });
    const handlers: Record<string, UnaryHandler> = { [SHOULD_RATE_LIMIT]: handler, [HEALTH_CHECK]: state.check };
    server = grpcServer({
      ...GRPC_BOUNDS,
      transport,
      place: { host, port: 0 },
      handlers,
      streams: { [HEALTH_WATCH]: state.watch },
      health: state,
      ...part,
    });
    await server.start();
    client = new Client(target(), credentials.createInsecure());
    ended.push(
      () => client.close(),
      () => server.stop(),
    );
  }

  function target(): string {
    return server.target()!;
  }

  function address(): { readonly host: string; readonly port: number } {
    const { hostname, port } = new URL(`tcp://${target()}`);
    return { host: hostname, port: Number(port) };
  }

  /** Raw bytes in and out, so that a test may send what no library would. */
  function call(message: Uint8Array, path = SHOULD_RATE_LIMIT, deadlineMs = 10_000): Promise<Answer> {
    return new Promise((resolve) => {
      const deadline = Date.now() + deadlineMs;
      const asIs = (buffer: Buffer) => buffer;
      const done = (error: ServiceError | null, reply?: Buffer) =>
        resolve({ code: error?.code ?? 0, details: error?.details ?? '', message: reply ?? null });
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from(message), new Metadata(), { deadline }, done);
    });
  }

  async function refusal(error: Error): Promise<string> {
    decide = () => Promise.reject(error);
    const { code, details } = await call(REQUEST);
    return `${code} ${details}`;
  }

  beforeEach(() => {
    bugs = [];
    unreadable = [];
    calls = [];
    decide = async () => decision('over_limit', [verdict(limited(limit({ requestsPerUnit: 5, unit: 'hour' })))]);
  });

  afterEach(async () => {
    for (const end of ended.splice(0)) await end();
  });

  it('answers a decision over real gRPC', async () => {
    await start();
    let seen: CheckRequest | null = null;
    const answer = decide;
    decide = (request) => {
      seen = request;
      return answer(request);
    };
    const { code, message } = await call(REQUEST);
    expect(code).to.equal(0);
    expect(responseDeserialize(message!)).to.deep.include({ overallCode: 'OVER_LIMIT' });
    expect(seen).to.deep.equal({
      domain: 'd',
      descriptors: [{ entries: [{ key: 'k', value: 'v' }], limit: null, hits: null, refund: false }],
      hits: 0,
    });
    expect(calls).to.deep.equal(['ShouldRateLimit 0']);
  });

  it('gives each expected error its code and its own words', async () => {
    await start();
    expect(await refusal(new RequestError('rate limit domain must not be empty'))).to.equal(
      '3 rate limit domain must not be empty',
    );
    expect(await refusal(new NoRulesError())).to.equal('9 no rate limit configuration loaded');
    expect(await refusal(new StoreError('timeout', 'redis: no answer in 100 ms'))).to.equal(
      '14 redis: no answer in 100 ms',
    );
    expect(await refusal(new StoreError('busy', '128 batches wait'))).to.equal('8 128 batches wait');
    expect(await refusal(new CallerGoneError())).to.equal('1 the caller has gone');
    expect(bugs).to.deep.equal([]);
    expect(calls).to.deep.equal([3, 9, 14, 8, 1].map((code) => `ShouldRateLimit ${code}`));
  });

  it('answers INTERNAL to a bug without its words, and tells onBug', async () => {
    await start();
    const bug = new TypeError('secret key of a counter');
    expect(await refusal(bug)).to.equal('13 internal error');
    expect(bugs).to.deep.equal([bug]);
    expect((await call(REQUEST)).code).to.equal(RPC_CODE.internal);
  });

  it('sends a message with lone surrogates, newlines and 5,000 characters as one that fits a header', async () => {
    await start();
    const answered = await refusal(new RequestError(`bad \uDCFF\n%41 ${'é'.repeat(5000)}`));
    expect(answered)
      .to.match(/^3 bad \uFFFD\n%41 é{900,}/)
      .and.to.have.lengthOf.below(1100);
  });

  it('answers INTERNAL to broken protobuf and INVALID_ARGUMENT to 1,001 descriptors', async () => {
    await start();
    const broken = await call(Buffer.from([0x0a, 0x05, 0x61]));
    expect(broken).to.deep.include({
      code: RPC_CODE.internal,
      details: 'grpc: error unmarshalling request: message is cut short',
    });
    expect(bugs).to.deep.equal([]);
    const many = await call(Buffer.concat([bytes(1, 'd'), ...new Array<Buffer>(1001).fill(bytes(2))]));
    expect(many).to.deep.include({
      code: RPC_CODE.invalidArgument,
      details: 'too many descriptors in a request, the limit is 1000',
    });
    expect(calls).to.deep.equal(['ShouldRateLimit 13', 'ShouldRateLimit 3']);
    expect(unreadable).to.deep.equal(['message is cut short', 'too many descriptors in a request, the limit is 1000']);
  });

  it('takes a message of 4 MiB and answers RESOURCE_EXHAUSTED to one byte more', async () => {
    await start();
    const message = (length: number) => {
      const filler = Buffer.alloc(length - bytes(1, 'd').length - 5, 0x61);
      const whole = Buffer.concat([bytes(1, 'd'), bytes(15, filler)]);
      expect(whole.length).to.equal(length);
      return whole;
    };
    expect((await call(message(4_194_304))).code).to.equal(0);
    expect((await call(message(4_194_305))).code).to.equal(RPC_CODE.resourceExhausted);
    expect((await call(REQUEST)).code).to.equal(0);
  });

  it('answers UNIMPLEMENTED for an unknown method, an unknown service and v2', async () => {
    await start();
    for (const path of [
      '/envoy.service.ratelimit.v3.RateLimitService/Other',
      '/no.such.Service/Method',
      '/envoy.service.ratelimit.v2.RateLimitService/ShouldRateLimit',
    ]) {
      expect((await call(REQUEST, path)).code).to.equal(12);
    }
  });

  it('lets a handler see the deadline, the caller and that it left', async () => {
    const seen: CallContext[] = [];
    const deadlines: (number | null)[] = [];
    const { opened, open } = gate();
    const wait: UnaryHandler = async (message, context) => {
      seen.push(context);
      deadlines.push(context.deadlineMs);
      expect(context.cancelled).to.equal(false);
      expect(context.peer).to.match(/^127\.0\.0\.1:\d+$/);
      await opened;
      return message;
    };
    await start({ handlers: { '/t.T/Wait': wait } });
    const before = performance.now();
    expect((await call(REQUEST, '/t.T/Wait', 500)).code).to.equal(4);
    await eventually('the call to be cancelled', () => seen[0]?.cancelled);
    expect(deadlines[0]).to.be.within(before, before + 10_500);
    open();
  });

  it('answers 200 calls in flight when it is stopped, says NOT_SERVING, and takes no new connection', async () => {
    await start();
    let arrived = 0;
    const { opened: everyoneIsIn, open: allArrived } = gate();
    const { opened: released, open: release } = gate();
    const answer = decide;
    decide = async (request) => {
      if (++arrived === 200) allArrived();
      await released;
      return answer(request);
    };
    state.set(true);
    const answers = Array.from({ length: 200 }, () => call(REQUEST));
    await everyoneIsIn;
    const { port } = address();
    const stopped = server.stop();
    await expectUnhealthy(state);
    const refused = createConnection({ host: '127.0.0.1', port });
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).to.equal('ECONNREFUSED');
    release();
    const codes = (await Promise.all(answers)).map(({ code }) => code);
    expect(codes).to.deep.equal(new Array(200).fill(0));
    await stopped;
    expect(server.target()).to.equal(null);
  });

  it('closes the 3rd connection of 2 at most unanswered, and takes one again when another has gone', async () => {
    await start({ maxConnections: 2 });
    const { host, port } = address();
    /** 'kept' once the server has sent its HTTP/2 settings. */
    const dial = async () => {
      const socket = createConnection({ host, port });
      ended.unshift(() => socket.destroy());
      const fate = await new Promise<string>((resolve) => {
        socket.once('data', () => resolve('kept')).once('close', () => resolve('closed'));
        socket.on('error', () => {});
        socket.write(PREFACE);
      });
      return { socket, fate };
    };
    const first = await dial();
    expect([first.fate, (await dial()).fate, (await dial()).fate]).to.deep.equal(['kept', 'kept', 'closed']);
    first.socket.destroy();
    await eventually('a place to be free', async () => (await dial()).fate === 'kept');
  });

  it('cuts a connection that answers no ping', async () => {
    await start({ keepaliveTimeMs: 20, keepaliveTimeoutMs: 20 });
    const { host, port } = address();
    const dead = createConnection({ host, port });
    ended.unshift(() => dead.destroy());
    const closed = once(dead, 'close');
    // Then nothing more is ever said.
    dead.write(PREFACE);
    dead.resume();
    await closed;
  });

  it('cuts the connection of a call that outlives the drain timeout', async () => {
    await start({ drainTimeoutMs: 50 });
    const { opened: isIn, open: arrived } = gate();
    decide = () => {
      arrived();
      return new Promise(() => {});
    };
    const answer = call(REQUEST);
    await isIn;
    await server.stop();
    expect((await answer).code).to.equal(RPC_CODE.unavailable);
  });

  it('stops though a connected client says nothing', async () => {
    await start({ drainTimeoutMs: 60_000 });
    const { host, port } = address();
    const silent = createConnection({ host, port });
    silent.resume();
    await once(silent, 'connect');
    await call(REQUEST);
    const closed = once(silent, 'close');
    await server.stop();
    await closed;
  });

  it('is stopped once by two stops, and may be stopped before it starts', async () => {
    await start();
    await Promise.all([server.stop(), server.stop()]);
    const other = grpcServer({
      ...GRPC_BOUNDS,
      transport,
      place: { host: '127.0.0.1', port: 0 },
      handlers: {},
      health: health(),
    });
    await other.stop();
  });

  it('says which address is taken', async () => {
    await start();
    const { host, port } = address();
    const second = grpcServer({ ...GRPC_BOUNDS, transport, place: { host, port }, handlers: {}, health: health() });
    const error = await second.start().then(
      () => null,
      (e: Error) => e,
    );
    expect(error?.message).to.match(new RegExp(`^the gRPC port cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`));
    await second.stop();
  });

  it('listens on ::1', async function () {
    await start({}, '::1').catch((error: Error) => {
      if (/EADDRNOTAVAIL|EAFNOSUPPORT/.test(error.message)) this.skip();
      throw error;
    });
    expect((await call(REQUEST)).code).to.equal(0);
  });

  it('survives a connection that speaks no HTTP/2 and one that is reset in the middle of a call', async () => {
    await start();
    const { host, port } = address();
    const other = createConnection({ host, port });
    const otherClosed = once(other, 'close');
    other.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    other.resume();
    const { opened: isIn, open: arrived } = gate();
    const { opened: released, open: release } = gate();
    const answer = decide;
    decide = async (request) => {
      arrived();
      await released;
      return answer(request);
    };
    const session = connectHttp2(`http://${host}:${port}`);
    session.on('error', () => {});
    const stream = session.request({
      ':method': 'POST',
      ':path': SHOULD_RATE_LIMIT,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, REQUEST.length]), REQUEST]));
    await isIn;
    const closed = once(session, 'close');
    session.destroy();
    await Promise.all([closed, otherClosed]);
    release();
    decide = answer;
    expect((await call(REQUEST)).code).to.equal(0);
    expect(bugs).to.deep.equal([]);
  });
}

async function expectUnhealthy(state: Health): Promise<void> {
  const context = { deadlineMs: null, cancelled: false, peer: '', header: () => null };
  expect([...(await state.check(new Uint8Array(), context))]).to.deep.equal([8, 2]);
}
