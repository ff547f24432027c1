import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { expect } from 'chai';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { orSkip, otlpPython } from '../foreign/toolchain.ts';
import { closers } from '../service/closers.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { service } from '../support/service.ts';
import { otlpReceiver } from './otlp-receiver.ts';

const RULES = {
  'shop.yaml': {
    domain: 'shop',
    descriptors: [
      { key: 'user', rate_limit: { unit: 'hour', requests_per_unit: 1 } },
      { key: 'free', rate_limit: { unlimited: true } },
    ],
  },
};
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
/** The numbers of opentelemetry.proto.trace.v1. */
const [SERVER, CLIENT, UNSET, ERROR] = [2, 3, 0, 2];
const SECRET = 'ann-of-the-secret';

const CARRIERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  traceparent: { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'vendor=1' },
  'b3 in one header': { b3: `${TRACE}-${SPAN}-1` },
  'b3 in several headers': { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' },
};

describe('a real OTLP receiver', () => {
  const opened = closers();
  let python = '';
  let redis: OwnRedis;

  before(async function () {
    this.timeout(300_000);
    needsRedis(this);
    python = await orSkip(this, otlpPython);
    redis = await ownRedis();
    opened(redis, redis.stop);
  });

  async function start(env: (ports: { readonly http: number; readonly grpc: number }) => Record<string, string>) {
    const receiver = await otlpReceiver(python);
    opened(receiver, receiver.close);
    await redis.client.flushdb();
    const weir = await service({
      rules: RULES,
      redis: redis.url,
      env: { TRACING_ENABLED: 'true', ...env(receiver.ports) },
    });
    opened(weir, weir.close);
    const client = new Client(`127.0.0.1:${weir.grpcPort}`, credentials.createInsecure());
    opened(client, () => client.close());
    const { requestSerialize, responseDeserialize, path } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
      .ShouldRateLimit!;
    /** Resolves with the error, or null. */
    const ask = (domain: string, keys: readonly string[], headers: Readonly<Record<string, string>> = {}) =>
      new Promise<Error | null>((done) => {
        const metadata = new Metadata();
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        const request = { domain, descriptors: keys.map((key) => ({ entries: [{ key, value: SECRET }] })) };
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error) => done(error));
      });
    const spans = (count: number) =>
      eventually(`${count} spans`, () => receiver.spans().length >= count && receiver.spans(), 30_000);
    return { receiver, weir, ask, spans };
  }

  const PLACES = {
    http: ({ http }: { http: number }) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${http}`,
    }),
    grpc: ({ grpc }: { grpc: number }) => ({
      TRACING_EXPORTER_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_ENDPOINT: `127.0.0.1:${grpc}`,
      OTEL_EXPORTER_OTLP_INSECURE: 'true',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    }),
  } as const;

  for (const by of ['http', 'grpc'] as const) {
    it(`gets by ${by} the decision and its Redis call, below the caller's span, however that is told`, async () => {
      const { weir, ask, spans } = await start((ports) => ({
        ...PLACES[by](ports),
        OTEL_EXPORTER_OTLP_HEADERS: 'x-token=a%20b',
        TRACING_SERVICE_NAME: 'edge-limits',
        TRACING_SERVICE_NAMESPACE: 'edge',
        TRACING_SERVICE_INSTANCE_ID: 'pod-7',
      }));
      for (const headers of Object.values(CARRIERS))
        expect(await ask('shop', ['user', 'free', 'other'], headers)).to.equal(null);
      const received = await spans(2 * Object.keys(CARRIERS).length);
      const decisions = received.filter(({ name }) => name === 'ShouldRateLimit Execution');
      const pipelines = received.filter(({ name }) => name === 'Redis Pipeline Execution');
      expect([received.length, decisions.length, pipelines.length]).to.deep.equal([6, 3, 3]);
      for (const span of received) {
        expect(span).to.deep.include({ by, token: 'a b', traceId: TRACE, status: UNSET });
        expect(span.resource).to.include({
          'service.name': 'edge-limits',
          'service.namespace': 'edge',
          'service.instance.id': 'pod-7',
        });
        expect(span.lasted).to.be.greaterThan(0);
      }
      expect(decisions.map(({ parentId, kind }) => [parentId, kind])).to.deep.equal(Array(3).fill([SPAN, SERVER]));
      expect(decisions.map(({ state }) => state)).to.deep.equal(['vendor=1', '', '']);
      expect(decisions.map(({ attributes }) => attributes)).to.deep.equal(
        [1, 2, 3].map((used) => {
          const decision = used > 1 ? 'over_limit' : 'ok';
          const reasons = [`shop.user: ${decision}, ${used} of 1 per hour`, 'shop.free: unlimited', 'no_rule'];
          return { domain: 'shop', descriptors: 3, decision, reasons, shadowed: false };
        }),
      );
      expect(pipelines.map(({ parentId }) => parentId)).to.deep.equal(decisions.map(({ spanId }) => spanId));
      expect(pipelines[0]).to.deep.include({ kind: CLIENT });
      expect(pipelines[0]!.attributes).to.deep.equal({ 'db.system.name': 'redis', redis: 'main', hits: 1 });
      expect(JSON.stringify(received)).not.to.include(SECRET);
      expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    });
  }

  it('gets the last spans of a service that stops, roots of their own, from a UUID, and none of a caller that is not sampled', async () => {
    const { weir, receiver, ask } = await start(PLACES.http);
    for (let i = 0; i < 5; i++) await ask('shop', ['user']);
    await ask('shop', ['user'], { traceparent: `00-${TRACE}-${SPAN}-00` });
    await ask('shop', ['user'], { b3: `${TRACE}-${SPAN}-0` });
    expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    const received = await eventually('10 spans', () => receiver.spans().length >= 10 && receiver.spans());
    expect(received).to.have.length(10);
    const roots = received.filter(({ parentId }) => parentId === '');
    expect(new Set(roots.map(({ traceId }) => traceId)).size).to.equal(5);
    expect(received[0]!.resource).to.include({ 'service.name': 'RateLimit', 'service.namespace': '' });
    expect(received[0]!.resource['service.instance.id']).to.match(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  });

  it('is told what failed: a request without a domain, and a Redis that is away', async () => {
    const away = await ownRedis();
    opened(away, away.stop);
    const { ask, spans } = await start((ports) => ({ ...PLACES.grpc(ports), REDIS_URL: away.url }));
    expect(await ask('', ['user'])).to.be.instanceOf(Error);
    await away.stop();
    expect(await ask('shop', ['user'])).to.be.instanceOf(Error);
    const received = await spans(3);
    expect(received.map(({ status }) => status)).to.deep.equal([ERROR, ERROR, ERROR]);
    expect(received.map(({ name, attributes }) => [name, attributes['error.type']])).to.deep.equal([
      ['ShouldRateLimit Execution', 'request'],
      ['Redis Pipeline Execution', 'store_unavailable'],
      ['ShouldRateLimit Execution', 'store_unavailable'],
    ]);
    expect(JSON.stringify(received)).not.to.include(SECRET);
  });
});
