import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server as GrpcServer, type Metadata, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { type SdkOptions, sdkSpans } from '../../../src/telemetry/trace/sdk.ts';
import type { Collector } from '../../../src/telemetry/trace/wire.ts';
import { type Certificates, certificates } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';

/** `ExportTraceServiceResponse { partial_success { rejected_spans: 1 } }`. */
const ONE_REFUSED = Buffer.from([0x0a, 0x02, 0x08, 0x01]);
const NOTHING = Buffer.alloc(0);
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

interface Batch {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly body: Buffer;
}

/** What a collector answers to the batches that come, in order; the last one to all that follow. null: nothing. */
type Answers = readonly (number | Buffer | null)[];

interface Pems {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

function answerOf(answers: Answers, count: number) {
  return answers[Math.min(count, answers.length) - 1] as number | Buffer | null;
}

describe('spans over OTLP', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** The code is HTTP's. */
  async function httpCollector(answers: Answers, tls?: Pems) {
    const batches: Batch[] = [];
    const serve = async (request: IncomingMessage, response: ServerResponse) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      batches.push({ headers: request.headers, path: request.url ?? '', body: Buffer.concat(parts) });
      const answer = answerOf(answers, batches.length);
      if (answer === null) return;
      response.writeHead(typeof answer === 'number' ? answer : 200);
      response.end(typeof answer === 'number' ? 'a page that is no protobuf' : answer);
    };
    const server: Server =
      tls === undefined
        ? createServer((...args) => void serve(...args))
        : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (...args) => void serve(...args));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = new URL(`http${tls ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`);
    return { url, batches };
  }

  /** The code is gRPC's. */
  async function grpcCollector(answers: Answers, tls?: Pems) {
    const batches: (Batch & { readonly metadata: Metadata })[] = [];
    const server = new GrpcServer();
    const asIs = (bytes: Buffer) => bytes;
    server.register(
      EXPORT,
      (call: ServerUnaryCall<Buffer, Buffer>, reply: (error: object | null, value?: Buffer) => void) => {
        batches.push({
          headers: call.metadata.getMap(),
          path: call.getPath(),
          body: call.request,
          metadata: call.metadata,
        });
        const answer = answerOf(answers, batches.length);
        if (answer === null) return;
        if (typeof answer === 'number') reply({ code: answer, details: 'no' });
        else reply(null, answer);
      },
      asIs,
      asIs,
      'unary',
    );
    const identity =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true);
    const port = await new Promise<number>((done, fail) =>
      server.bindAsync('127.0.0.1:0', identity, (error, it) => (error ? fail(error) : done(it))),
    );
    closers.push(() => server.forceShutdown());
    return { url: new URL(`http${tls ? 's' : ''}://127.0.0.1:${port}`), batches };
  }

  function spansTo(url: URL, options: Partial<SdkOptions> = {}, collector: Partial<Collector> = {}) {
    const lost: string[] = [];
    const spans = sdkSpans({
      protocol: 'http',
      collector: { url, headers: {}, gzip: false, tls: {}, ...collector },
      timeoutMs: 30_000,
      service: { name: 'RateLimit', namespace: '', instanceId: 'me', version: '1' },
      samplingRate: 1,
      onLost: (count, { message }) => void lost.push(`${count}: ${message}`),
      ...options,
    });
    const make = (count = 1) => {
      for (let i = 0; i < count; i++) spans.root('ShouldRateLimit Execution', null, { domain: 'shop' })?.end(null);
    };
    return { spans, lost, make };
  }

  const COLLECTORS = { http: httpCollector, grpc: grpcCollector } as const;
  const CODES = {
    http: { passing: 503, lasting: 400 },
    grpc: { passing: status.UNAVAILABLE, lasting: status.UNAUTHENTICATED },
  };
  const TOLD = { http: 'the collector answered 400', grpc: 'UNAUTHENTICATED: no' };

  for (const protocol of ['http', 'grpc'] as const) {
    describe(protocol, () => {
      it('arrive in one batch with the headers', async () => {
        const { url, batches } = await COLLECTORS[protocol]([NOTHING]);
        const { spans, make, lost } = spansTo(url, { protocol }, { headers: { authorization: 'Bearer t' } });
        make(3);
        await spans.close();
        expect([spans.numbers, lost]).to.deep.equal([{ sent: 3, failed: 0, dropped: 0 }, []]);
        expect(batches).to.have.length(1);
        expect(batches[0]!.headers).to.include({ authorization: 'Bearer t' });
        expect(batches[0]!.path).to.equal(protocol === 'http' ? '/v1/traces' : EXPORT);
        expect(batches[0]!.body.toString('latin1').split('ShouldRateLimit Execution')).to.have.length(4);
      });

      it('are sent again, twice, to a collector that is not ready, and then have arrived', async () => {
        const { passing } = CODES[protocol];
        const { url, batches } = await COLLECTORS[protocol]([passing, passing, NOTHING]);
        const { spans, make } = spansTo(url, { protocol });
        make();
        await eventually('them to have arrived', () => spans.numbers.sent === 1);
        expect(batches).to.have.length(3);
        expect(batches[2]!.body).to.deep.equal(batches[0]!.body);
      });

      it('are not sent again to one that does not want them', async () => {
        const { url, batches } = await COLLECTORS[protocol]([CODES[protocol].lasting]);
        const { spans, make, lost } = spansTo(url, { protocol });
        make(2);
        await spans.close();
        expect([batches.length, spans.numbers.failed, lost]).to.deep.equal([1, 2, [`2: ${TOLD[protocol]}`]]);
      });

      it('are counted as failed where the collector refuses a part of them', async () => {
        const { url } = await COLLECTORS[protocol]([ONE_REFUSED]);
        const { spans, make } = spansTo(url, { protocol });
        make(3);
        await spans.close();
        expect(spans.numbers).to.deep.equal({ sent: 2, failed: 1, dropped: 0 });
      });

      it('are lost when the time is over, and the next ones go their way', async () => {
        const { url, batches } = await COLLECTORS[protocol]([null, NOTHING]);
        const { spans, make, lost } = spansTo(url, { protocol, timeoutMs: 50 });
        make();
        await eventually('the first to be lost', () => spans.numbers.failed === 1);
        expect(lost.join()).to.match(protocol === 'http' ? /^1: no answer in time$/ : /^1: DEADLINE_EXCEEDED/);
        // On a busy machine the next may be late too.
        await eventually('others to arrive', () => {
          make();
          return spans.numbers.sent > 0;
        });
        expect(batches.length).to.be.at.least(2);
      });

      it('do not hold up the end when the collector never answers', async () => {
        const { url } = await COLLECTORS[protocol]([null]);
        const { spans, make } = spansTo(url, { protocol, timeoutMs: 3_600_000 });
        make();
        await spans.close();
        expect(spans.numbers.failed).to.equal(1);
      });

      it('are lost, and no call fails, when nobody is there', async () => {
        const { url } = await COLLECTORS[protocol]([NOTHING]);
        for (const close of closers.splice(0)) close();
        const { spans, make, lost } = spansTo(url, { protocol, timeoutMs: 100 });
        make();
        await eventually('them to be lost', () => spans.numbers.failed === 1);
        expect(lost.join()).to.match(/ECONNREFUSED|UNAVAILABLE|DEADLINE_EXCEEDED/);
        await spans.close();
      });
    });
  }

  describe('with TLS', () => {
    let authority: Certificates;
    let theirs: Pems;
    let ours: Pems;
    before(async () => {
      authority = await certificates();
      const pems = async (name: string): Promise<Pems> => {
        const { cert, key } = await authority.sign(name);
        return { ca: readFileSync(authority.ca), cert: readFileSync(cert), key: readFileSync(key) };
      };
      theirs = await pems('IP:127.0.0.1');
      ours = await pems('DNS:weir');
    });
    after(() => authority?.remove());

    for (const protocol of ['http', 'grpc'] as const) {
      it(`go over ${protocol} to a collector that asks who we are, and not to one that we do not trust`, async () => {
        const { url, batches } = await COLLECTORS[protocol]([NOTHING], theirs);
        const known = spansTo(url, { protocol }, { tls: ours });
        known.make();
        await known.spans.close();
        expect([known.spans.numbers.sent, known.lost]).to.deep.equal([1, []]);
        for (const tls of [{}, { ca: ours.ca }]) {
          const stranger = spansTo(url, { protocol, timeoutMs: 100 }, { tls });
          stranger.make();
          await stranger.spans.close();
          expect(stranger.spans.numbers.failed).to.equal(1);
        }
        expect(batches).to.have.length(1);
      });
    }
  });

  it('are 4,096 in the queue at most, however many are made', async () => {
    const { url } = await httpCollector([400]);
    const { spans, make } = spansTo(url);
    make(6_000);
    // One batch may have left; the rest stands in the queue or was dropped.
    expect(spans.numbers.dropped).to.equal(6_000 - 4_096);
    await spans.close();
    expect(spans.numbers.failed).to.equal(4_096);
  });

  it('are zipped where that is wanted', async () => {
    const { url, batches } = await httpCollector([NOTHING]);
    const { spans, make } = spansTo(url, {}, { gzip: true });
    make();
    await spans.close();
    expect(batches[0]!.headers).to.include({ 'content-encoding': 'gzip' });
    expect(gunzipSync(batches[0]!.body).toString('latin1')).to.include('ShouldRateLimit Execution');
    const over = await grpcCollector([NOTHING]);
    const other = spansTo(over.url, { protocol: 'grpc' }, { gzip: true });
    other.make();
    await other.spans.close();
    expect(other.spans.numbers.sent).to.equal(1);
  });

  it('are made for the part of the traces that the rate says, and for those whose caller is sampled', async () => {
    const { url } = await httpCollector([NOTHING]);
    const { spans } = spansTo(url, { samplingRate: 0.25 });
    const made = (parent: Parameters<typeof spans.root>[1]) => {
      const span = spans.root('ShouldRateLimit Execution', parent, {});
      span?.end(null);
      return span !== null;
    };
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const parent = { traceId, spanId: '00f067aa0ba902b7', state: null };
    expect([made({ ...parent, sampled: true }), made({ ...parent, sampled: false })]).to.deep.equal([true, false]);
    let sampled = 0;
    for (let i = 0; i < 2_000; i++) if (made(null)) sampled++;
    // The chance of being outside is below one in a thousand million.
    expect(sampled).to.be.within(380, 620);
    await spans.close();
  });
});
