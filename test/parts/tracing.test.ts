import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { expect } from 'chai';
import { app } from '../../src/app.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { collectorOf } from '../../src/tracing.ts';
import { freePort } from '../support/port.ts';

const RULES = 'domain: shop\ndescriptors:\n  - { key: user, rate_limit: { unit: hour, requests_per_unit: 10 } }\n';
const ASKED = JSON.stringify({ domain: 'shop', descriptors: [{ entries: [{ key: 'user', value: 'ann' }] }] });
const HERE = { HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1' };

describe('the tracer', () => {
  const { getTracer } = TracerProvider.prototype;
  let dir: string;
  let spans: number;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-tracer-'));
    await writeFile(join(dir, 'shop.yaml'), RULES);
  });
  after(() => rm(dir, { recursive: true }));
  beforeEach(() => {
    spans = 0;
    TracerProvider.prototype.getTracer = function (...args) {
      const tracer = getTracer.apply(this, args);
      const startSpan = tracer.startSpan.bind(tracer);
      tracer.startSpan = (...asked) => {
        spans++;
        return startSpan(...asked);
      };
      return tracer;
    };
  });
  afterEach(() => {
    TracerProvider.prototype.getTracer = getTracer;
  });

  for (const [rate, expected] of [
    ['0', 0],
    ['1', 5],
  ] as const) {
    it(`is called ${expected} times by 5 calls with TRACING_SAMPLING_RATE=${rate}, whose caller is sampled`, async () => {
      const env = {
        ...HERE,
        ...{ PORT: '0', GRPC_PORT: '0', DEBUG_PORT: '0', LOG_LEVEL: 'fatal', RULES: dir },
        ...{ TRACING_ENABLED: 'true', TRACING_SAMPLING_RATE: rate },
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      };
      const weir = app(readSettings([], env));
      await weir.start();
      try {
        const headers = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
        for (let i = 0; i < 5; i++) {
          const { status } = await fetch(`http://${weir.addresses().http}/json`, {
            method: 'POST',
            body: ASKED,
            headers,
          });
          expect(status).to.equal(200);
        }
        expect(spans).to.equal(expected);
      } finally {
        await weir.stop();
      }
    });
  }
});

describe('where spans go', () => {
  const place = (env: Readonly<Record<string, string>>) => collectorOf(readSettings([], env).settings);
  const url = (env: Readonly<Record<string, string>>) => place(env).url.href;
  const GRPC = { TRACING_EXPORTER_PROTOCOL: 'grpc' };

  it('is port 4318 of this host, by gRPC 4317', () => {
    expect([url({}), url(GRPC)]).to.deep.equal(['http://localhost:4318/v1/traces', 'http://localhost:4317/']);
  });

  it('is below the endpoint, and at the one for traces as it is', () => {
    expect(url({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example:1/otlp/' })).to.equal(
      'https://c.example:1/otlp/v1/traces',
    );
    const both = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:1', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b:2/own' };
    expect(url(both)).to.equal('http://b:2/own');
  });

  it('is asked by TLS over gRPC where no scheme is said, unless OTEL_EXPORTER_OTLP_INSECURE is true', () => {
    const bare = { ...GRPC, OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' };
    expect([url(bare), url({ ...bare, OTEL_EXPORTER_OTLP_INSECURE: 'true' })]).to.deep.equal([
      'https://collector:4317/',
      'http://collector:4317/',
    ]);
    expect(() => url({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' })).to.throw(
      'OTEL_EXPORTER_OTLP_ENDPOINT: with http it must start with http:// or https://',
    );
  });

  it('is told headers in percent-encoding, and those that cannot be sent are refused without being told', () => {
    expect(place({ OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20a%3Db, x-k=v=w' }).headers).to.deep.equal({
      authorization: 'Bearer a=b',
      'x-k': 'v=w',
    });
    for (const secret of ['authorization=secret%0a', 'a b=secret', 'k=secret%zz', 'secret']) {
      expect(() => place({ OTEL_EXPORTER_OTLP_HEADERS: secret }))
        .to.throw(/^OTEL_EXPORTER_OTLP_HEADERS: expected/)
        .with.property('message')
        .that.does.not.include('secret');
    }
  });

  it('needs its files: both of our certificate, and such as can be read', () => {
    expect(() => place({ OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k' })).to.throw(
      'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY need each other',
    );
    expect(() => place({ OTEL_EXPORTER_OTLP_CERTIFICATE: '/no/such' })).to.throw('ENOENT');
  });

  for (const endpoint of ['collector', 'ftp://collector:1', 'http://', 'http:///x', 'a b:1', 'http://a:99999']) {
    it(`is not ${endpoint}`, () => {
      expect(() => place({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })).to.throw('expected http(s)://host:port');
    });
  }
});
