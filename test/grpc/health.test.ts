import { once } from 'node:events';
import { type ClientReadableStream, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import { HEALTH_CHECK, HEALTH_WATCH, type Health, health } from '../../src/grpc/health.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { type GrpcServer, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { GRPC_BOUNDS } from './bounds.ts';

interface HealthClient {
  Check(request: { service: string }, done: (error: ServiceError | null, reply?: { status: string }) => void): void;
  Watch(request: { service: string }): ClientReadableStream<{ status: string }>;
  close(): void;
}

for (const transport of ['grpc-js', 'wire'] as const) describe(`health on ${transport}`, () => suite(transport));

function suite(transport: Transport): void {
  let state: Health;
  let server: GrpcServer;
  let client: HealthClient;
  let calls: string[];

  beforeEach(async () => {
    calls = [];
    state = health({ onCall: (method, code) => calls.push(`${method} ${code}`) });
    const handlers = { [HEALTH_CHECK]: state.check };
    server = grpcServer({
      ...GRPC_BOUNDS,
      transport,
      place: { host: '127.0.0.1', port: 0 },
      handlers,
      streams: { [HEALTH_WATCH]: state.watch },
      health: state,
    });
    await server.start();
    const Constructor = makeGenericClientConstructor(serviceNamed('grpc.health.v1.Health'), 'Health');
    const address = server.target()!;
    client = new Constructor(address, credentials.createInsecure()) as unknown as HealthClient;
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  const check = (service: string) =>
    new Promise<string>((resolve) => {
      client.Check({ service }, (error, reply) => resolve(error ? `${error.code} ${error.details}` : reply!.status));
    });

  it('tells the same of "" and of "ratelimit", NOT_SERVING until told otherwise', async () => {
    expect([await check(''), await check('ratelimit')]).to.deep.equal(['NOT_SERVING', 'NOT_SERVING']);
    state.set(true);
    expect([await check(''), await check('ratelimit')]).to.deep.equal(['SERVING', 'SERVING']);
    state.set(false);
    expect([await check(''), await check('ratelimit')]).to.deep.equal(['NOT_SERVING', 'NOT_SERVING']);
  });

  it('knows no other service', async () => {
    expect(await check('envoy.service.ratelimit.v3.RateLimitService')).to.equal('5 unknown service');
    expect(await check('ratelimit ')).to.equal('5 unknown service');
  });

  it('reports every check', async () => {
    await check('');
    await check('other');
    expect(calls).to.deep.equal(['Check 0', 'Check 5']);
  });

  it('refuses a check that is not protobuf with INTERNAL', async () => {
    const context = { deadlineMs: null, cancelled: false, peer: '', header: () => null };
    const error = await state.check(Buffer.from([0x0b]), context).then(
      () => null,
      (e: { code: number }) => e,
    );
    expect(error?.code).to.equal(13);
  });

  it('tells a watch the state now and each change, and ends it with UNAVAILABLE at the stop', async () => {
    const watch = client.Watch({ service: 'ratelimit' });
    const next = nextOf(watch);
    expect(await next()).to.equal('NOT_SERVING');
    state.set(true);
    expect(await next()).to.equal('SERVING');
    state.set(true);
    state.set(false);
    expect(await next()).to.equal('NOT_SERVING');
    state.set(true);
    expect(await next()).to.equal('SERVING');
    const ended = once(watch, 'error') as Promise<[ServiceError]>;
    const stopped = server.stop();
    expect(await next()).to.equal('NOT_SERVING');
    const [error] = await ended;
    expect(`${error.code} ${error.details}`).to.equal('14 the server is shutting down');
    await stopped;
  });

  it('tells a watch of an unknown service SERVICE_UNKNOWN and nothing after it', async () => {
    const watch = client.Watch({ service: 'other' });
    const seen: string[] = [];
    watch.on('data', ({ status }: { status: string }) => seen.push(status));
    await once(watch, 'data');
    state.set(true);
    const ended = once(watch, 'error');
    await server.stop();
    await ended;
    expect(seen).to.deep.equal(['SERVICE_UNKNOWN']);
  });

  it('ends a watch that comes after the close', async () => {
    state.close();
    const [error] = (await once(client.Watch({ service: '' }), 'error')) as [ServiceError];
    expect(error.code).to.equal(14);
  });
}

function nextOf(watch: ClientReadableStream<{ status: string }>): () => Promise<string> {
  const waiting: ((status: string) => void)[] = [];
  const arrived: string[] = [];
  watch.on('data', ({ status }: { status: string }) => {
    const first = waiting.shift();
    if (first) first(status);
    else arrived.push(status);
  });
  return () =>
    new Promise((resolve) => {
      const status = arrived.shift();
      if (status === undefined) waiting.push(resolve);
      else resolve(status);
    });
}
