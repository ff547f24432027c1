import { expect } from 'chai';
import type { Decision } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import { NoRulesError, StoreError } from '../../src/core/ports.ts';
import { type Projection, project } from '../../src/core/projection.ts';
import { type CheckRequest, RequestError } from '../../src/core/request.ts';
import { jsonHandler } from '../../src/http/json.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import type { Limiter } from '../../src/limiter.ts';
import { rule } from '../support/rule.ts';
import { charged, counted, decision, free, hit, ruleset, UNKNOWN_DOMAIN } from '../telemetry/decisions.ts';
import { type Ask, fetchFrom, type Got } from './client.ts';

const BOUNDS = { maxDescriptors: 10, maxEntries: 10, maxKeyBytes: 100, maxValueBytes: 100, maxNesting: 100 };
const SET = ruleset(['shop']);
const TWO_AN_HOUR = limit({ requestsPerUnit: 2, unit: 'hour' }, { name: 'two' });
const TWO = rule('shop.k', { limits: [TWO_AN_HOUR] });
const two = hit(1, { limit: TWO_AN_HOUR });
const VALID = '{"domain":"shop","descriptors":[{"entries":[{"key":"k","value":"v"}]}]}';

describe('/json', () => {
  let server: HttpServer;
  let asked: CheckRequest[];
  let answer: () => Decision;
  let projected: (of: Decision) => Projection;
  const told: unknown[] = [];

  before(async () => {
    const limiter: Limiter = {
      inFlight: () => 0,
      async decide(request) {
        asked.push(request);
        return answer();
      },
    };
    const handler = jsonHandler({ limiter, project: (of) => projected(of), bounds: BOUNDS });
    const onError = (error: unknown) => told.push(error);
    server = httpServer({ name: 'http', host: '127.0.0.1', port: 0, routes: { '/json': handler }, onError });
    await server.start();
  });
  after(() => server.stop());
  beforeEach(() => {
    asked = [];
    told.length = 0;
    answer = () => decision('shop', SET, [UNKNOWN_DOMAIN]);
    projected = () => ({ headers: [], metadata: null });
  });

  const ask = (body: string | Uint8Array = VALID, more: Ask = {}) =>
    fetchFrom(server, '/json', { method: 'POST', body, ...more });
  const withVerdicts = (...verdicts: Decision['verdicts']) => {
    answer = () => decision('shop', SET, verdicts);
  };

  function expectBadRequest(got: Got): void {
    const { status, text, headers } = got;
    expect([status, text, headers['content-type']]).to.deep.equal([400, 'Bad Request\n', 'text/plain; charset=utf-8']);
  }

  it('answers 200 with limit, remaining and whole seconds to reset, zeros left out', async () => {
    const verdict = { ...charged(TWO, counted(1), two), remaining: 1, resetAfterUs: 31_000_001 };
    const spent = { ...verdict, remaining: 0 };
    const unlimited = { ...free({ kind: 'unlimited', rule: TWO }), remaining: 4_294_967_295 };
    const none = hit(1, { limit: limit({ requestsPerUnit: 0, unit: 'day' }) });
    const banned = { ...charged('shop.k', counted(1), none), resetAfterUs: 31_000_001 };
    withVerdicts(verdict, spent, UNKNOWN_DOMAIN, unlimited, banned, free({ kind: 'replaced', rule: TWO }));
    const got = await ask();
    expect([got.status, got.headers['content-type']]).to.deep.equal([200, 'application/json']);
    const currentLimit = { name: 'two', requestsPerUnit: 2, unit: 'HOUR' };
    expect(JSON.parse(got.text)).to.deep.equal({
      overallCode: 'OK',
      statuses: [
        { code: 'OK', currentLimit, limitRemaining: 1, durationUntilReset: '32s' },
        { code: 'OK', currentLimit, durationUntilReset: '32s' },
        { code: 'OK' },
        { code: 'OK', limitRemaining: 4_294_967_295 },
        { code: 'OK', currentLimit: { unit: 'DAY' }, durationUntilReset: '32s' },
        { code: 'OK' },
      ],
    });
  });

  it('answers 429 when over', async () => {
    const over = { ...charged(TWO, counted(3), two), outcome: 'over_limit', resetAfterUs: 1 } as const;
    answer = () => decision('shop', SET, [over], { outcome: 'over_limit' });
    const got = await ask();
    expect(got.status).to.equal(429);
    expect(JSON.parse(got.text)).to.deep.include({ overallCode: 'OVER_LIMIT' });
    expect(JSON.parse(got.text).statuses[0]).to.deep.include({ code: 'OVER_LIMIT', durationUntilReset: '1s' });
  });

  it('tells the headers and the metadata of the projection', async () => {
    const verdict = charged(TWO, counted(1), two);
    const binding = { ...verdict.binding!, remaining: 1, resetAfterUs: 5_000_000 };
    answer = () => decision('shop', SET, [verdict], { binding });
    const headerNames = { limit: 'L', remaining: 'M', reset: '' };
    projected = (of) => project(of, { headerNames, retryAfterName: '', dynamicMetadata: true });
    const { responseHeadersToAdd, dynamicMetadata } = JSON.parse((await ask()).text);
    expect(responseHeadersToAdd).to.deep.equal([{ key: 'L', value: '2' }, { key: 'M', value: '1' }, { value: '5' }]);
    expect(dynamicMetadata).to.deep.equal({ domain: 'shop', descriptors: [] });
  });

  it('takes any method and any content type, and hands the request on as it is', async () => {
    const body = '{"domain":"shop","descriptors":[{"entries":[{"key":"k","value":"\\u00e9\\n"}]}],"hits_addend":"3"}';
    expect((await ask(body, { method: 'PUT', headers: { 'content-type': 'text/plain' } })).status).to.equal(200);
    expect(
      (await ask(body, { method: 'GET', headers: { 'content-length': Buffer.byteLength(body) } })).status,
    ).to.equal(200);
    const entries = [{ key: 'k', value: 'é\n' }];
    const expected = { domain: 'shop', descriptors: [{ entries, limit: null, hits: null, refund: false }], hits: 3 };
    expect(asked).to.deep.equal([expected, expected]);
  });

  it('answers 400 to a GET whose body came without a length', async () => {
    expectBadRequest(await ask(VALID, { method: 'GET' }));
    expect(asked).to.deep.equal([]);
  });

  it('answers 400 with a fixed text to a body that is no request', async () => {
    for (const body of ['', '}', '[]', 'null', '{"what":1}', `${VALID} trailing`, '{"domain":"\\ud800"}']) {
      expectBadRequest(await ask(body));
    }
    expect(asked).to.deep.equal([]);
  });

  it('answers 400 to invalid UTF-8 and to a byte order mark', async () => {
    const [before, after] = VALID.split('shop') as [string, string];
    expectBadRequest(await ask(Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)])));
    expectBadRequest(await ask(`\ufeff${VALID}`));
    expect(asked).to.deep.equal([]);
  });

  it('answers 503 when weir is busy itself', async () => {
    answer = () => {
      throw new StoreError('busy', 'full');
    };
    expect(await ask()).to.include({ status: 503, text: 'Service Unavailable\n' });
  });

  it('answers 400 without a reason when the limiter refuses or its store is down', async () => {
    for (const error of [new RequestError('why'), new NoRulesError(), new StoreError('timeout', 'why')]) {
      answer = () => {
        throw error;
      };
      expectBadRequest(await ask());
    }
    expect(told).to.deep.equal([]);
  });

  it('answers 500 to a defect, and tells it', async () => {
    const defect = new TypeError('defect');
    answer = () => {
      throw defect;
    };
    const got = await ask();
    expect([got.status, got.text]).to.deep.equal([500, 'Internal Server Error\n']);
    expect(told).to.deep.equal([defect]);
  });

  it('has no answer at /json/', async () => {
    expect((await fetchFrom(server, '/json/', { method: 'POST', body: VALID })).status).to.equal(404);
  });
});
