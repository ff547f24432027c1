import { expect } from 'chai';
import { ask, client, describeResponse, parseDescriptor } from '../../src/cli/client.ts';
import { limit } from '../../src/core/limit.ts';
import { type CheckRequest, RequestError } from '../../src/core/request.ts';
import { rlsClient } from '../../src/grpc/client.ts';
import { health } from '../../src/grpc/health.ts';
import { type GrpcServer, grpcServer } from '../../src/grpc/server.ts';
import { SHOULD_RATE_LIMIT, shouldRateLimit } from '../../src/grpc/should-rate-limit.ts';
import { rule } from '../support/rule.ts';
import { GRPC_BOUNDS } from './bounds.ts';
import { decision, limited, verdict } from './decisions.ts';

describe('weir client', () => {
  const asked: CheckRequest[] = [];
  let server: GrpcServer;
  let address: string;

  before(async () => {
    const match = limited(limit({ requestsPerUnit: 10, unit: 'minute' }, { name: 'ten' }));
    const handler = shouldRateLimit({
      limiter: {
        decide: async (request) => {
          asked.push(request);
          if (request.domain === 'bad') throw new RequestError('rate limit domain is bad');
          const over = request.hits > 10;
          const outcome = over ? 'over_limit' : 'ok';
          return decision(outcome, [
            verdict(match, { outcome, remaining: over ? 0 : 9, resetAfterUs: 41_000_000 }),
            verdict({ kind: 'none', because: 'no_rule' }),
            verdict({ kind: 'unlimited', rule: rule() }, { remaining: 2 ** 32 - 1 }),
          ]);
        },
      },
      project: () => ({ headers: [{ key: 'RateLimit-Limit', value: '10' }], metadata: null }),
      onBug: (error) => {
        throw error;
      },
    });
    server = grpcServer({
      ...GRPC_BOUNDS,
      transport: 'wire',
      place: { host: '127.0.0.1', port: 0 },
      handlers: { [SHOULD_RATE_LIMIT]: handler },
      health: health(),
    });
    await server.start();
    address = server.target()!;
  });

  beforeEach(() => {
    asked.length = 0;
  });

  after(() => server.stop());

  async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = '';
    let err = '';
    const code = await client(args, { write: (text) => (out += text) }, { write: (text) => (err += text) });
    return { code, out, err };
  }

  it('prints the answer and exits 0 when it is OK', async () => {
    const { code, out, err } = await run('--address', address, '--domain', 'edge', '--descriptor', 'path=/a=b,user=x');
    expect({ code, err }).to.deep.equal({ code: 0, err: '' });
    expect(out).to.equal(
      [
        'OK',
        '  descriptor 1: OK, limit 10 per minute (ten), 9 remaining, resets in 41 s',
        '  descriptor 2: OK, no limit',
        '  descriptor 3: OK, unlimited',
        '  header RateLimit-Limit: 10',
        '',
      ].join('\n'),
    );
    expect(asked).to.deep.equal([
      {
        domain: 'edge',
        hits: 0,
        descriptors: [
          {
            entries: [
              { key: 'path', value: '/a=b' },
              { key: 'user', value: 'x' },
            ],
            limit: null,
            hits: null,
            refund: false,
          },
        ],
      },
    ]);
  });

  it("looks with --hits 0: the 0 is the descriptor's, since a request's own 0 means 1", async () => {
    await run('--address', address, '--domain=d', '--descriptor=k', '--hits', '0');
    expect(asked[0]?.descriptors[0]?.hits).to.equal(0);
  });

  it('exits 1 when 11 hits are over the limit', async () => {
    const { code, out } = await run('--address', address, '--domain=d', '--descriptor=k', '--hits', '11');
    expect(code).to.equal(1);
    expect(out).to.match(/^OVER_LIMIT\n {2}descriptor 1: OVER_LIMIT, limit 10 per minute \(ten\), 0 remaining/);
    expect(asked[0]?.hits).to.equal(11);
  });

  it('exits 2 with the reason when the service refuses or is not there', async () => {
    const refused = await run('--address', address, '--domain=bad', '--descriptor=k=v');
    expect(refused).to.deep.equal({
      code: 2,
      out: '',
      err: 'weir client: no answer: rate limit domain is bad (gRPC status 3)\n',
    });
    const nobody = await run('--address', '127.0.0.1:1', '--domain=d', '--descriptor=k=v', '--timeout-ms', '10000');
    expect(nobody.code).to.equal(2);
    expect(nobody.err).to.equal('weir client: no answer: connect ECONNREFUSED 127.0.0.1:1 (gRPC status 14)\n');
  });

  it('exits 2 and says what is missing or wrong in the arguments', async () => {
    const complaint = async (...args: string[]) => {
      const { code, err } = await run(...args);
      return `${code} ${err}`;
    };
    expect(await complaint('--descriptor=k=v')).to.contain('2 weir client: --domain is missing');
    expect(await complaint('--domain=d')).to.contain('2 weir client: --descriptor key=value is missing');
    expect(await complaint('--domain=d', '--descriptor=k=v', '--hits=-1')).to.contain('--hits takes a whole number');
    expect(await complaint('--domain=d', '--descriptor=k=v', '--hits=4294967296')).to.contain('not "4294967296"');
    expect(await complaint('--domain=d', '--descriptor==v')).to.contain('a descriptor needs a key: "=v"');
    expect(await complaint('--domain=d', '--descriptor=k,')).to.contain('a descriptor needs a key: "k,"');
    expect(await complaint('--domain=d', '--descriptor=k=v', '--hits', '-1')).to.equal(
      '2 weir client: write a value with a dash as --hits=-...; weir --help shows how to ask\n',
    );
    expect(await complaint('--wrong')).to.match(/^2 weir client: .*--wrong.*weir --help/);
    expect(asked).to.deep.equal([]);
  });

  it('keeps a comma that follows a backslash', () => {
    expect(parseDescriptor('q=a\\,b,k')).to.deep.equal({
      entries: [
        { key: 'q', value: 'a,b' },
        { key: 'k', value: '' },
      ],
    });
  });

  it('answers what the service said, statuses empty when there are none', async () => {
    const response = await ask({ address, domain: 'd', descriptors: ['k=v'], timeoutMs: 5000 });
    expect(response.statuses).to.have.length(3);
    expect(describeResponse({ ...response, statuses: [], responseHeadersToAdd: [] })).to.equal('OK\n');
  });

  it('sends an override, 2^53-1 hits of a descriptor and a refund as they are', async () => {
    const rls = rlsClient(address, { timeoutMs: 5000 });
    await rls.check({
      domain: 'd',
      descriptors: [
        {
          entries: [],
          limit: { requestsPerUnit: 3, unit: 7 },
          hitsAddend: { value: '9007199254740991' },
          isNegativeHits: true,
        },
        { entries: [], limit: { requestsPerUnit: 4, unit: 'YEAR' }, hitsAddend: { value: 0 } },
      ],
      hitsAddend: 2,
    });
    rls.close();
    expect(asked[0]).to.deep.equal({
      domain: 'd',
      hits: 2,
      descriptors: [
        { entries: [], limit: { requestsPerUnit: 3, unit: 7 }, hits: 9_007_199_254_740_991, refund: true },
        { entries: [], limit: { requestsPerUnit: 4, unit: 6 }, hits: 0, refund: false },
      ],
    });
  });
});
