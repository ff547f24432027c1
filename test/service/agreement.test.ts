import { expect } from 'chai';
import fc from 'fast-check';
import type { RateLimitRequest, RateLimitResponse } from '../../src/grpc/client.ts';
import { service } from '../support/service.ts';
import { type Caller, caller } from './caller.ts';
import { closers } from './closers.ts';

const RUNS = 300;
const DOMAINS = { grpc: 'over-grpc', json: 'over-json' };

const year = (requests: number, more: object = {}) => ({ unit: 'year', requests_per_unit: requests, ...more });
const rules = (domain: string) => ({
  domain,
  descriptors: [
    { key: 'user', rate_limit: year(20, { name: 'users' }), descriptors: [{ key: 'path', rate_limit: year(5) }] },
    { key: 'user', value: 'ann', rate_limit: year(3) },
    { key: 'path', value: '/a*', rate_limit: year(10), share_threshold: true },
    { key: 'free', rate_limit: { unlimited: true } },
    { key: 'shadow', rate_limit: year(2), shadow_mode: true },
    { key: 'quota', rate_limit: year(4), quota_mode: true },
    { key: 'better', rate_limit: year(6, { name: 'better', replaces: [{ name: 'users' }] }) },
    { key: 'none', rate_limit: year(0) },
  ],
});

const entry = fc.record({
  key: fc.constantFrom('user', 'path', 'free', 'shadow', 'quota', 'better', 'none', 'other'),
  value: fc.constantFrom('', 'ann', 'bob', '/a', '/ab', 'é🎈', 'a\0b'),
});
const descriptor = fc.record(
  {
    entries: fc.array(entry, { minLength: 1, maxLength: 2 }),
    limit: fc.record({ requestsPerUnit: fc.nat(3), unit: fc.constantFrom('YEAR', 'MONTH', 7) }),
    hits: fc.constantFrom(0, 1, 2, 7, '9007199254740993', '18446744073709551615'),
    isNegativeHits: fc.boolean(),
  },
  { requiredKeys: ['entries'] },
);
const request = fc.record(
  { descriptors: fc.array(descriptor, { minLength: 1, maxLength: 3 }), hitsAddend: fc.nat(3) },
  { requiredKeys: ['descriptors'] },
);
type Asked = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** What both doors must tell alike. */
interface Told {
  readonly overall: string;
  readonly statuses: readonly (readonly [code: string, limit: string, remaining: number, hasReset: boolean])[];
}

describe('/json and gRPC', () => {
  const opened = closers();
  let client: Caller;
  let httpPort: number;

  before(async () => {
    const weir = await service({ rules: { 'a.yaml': rules(DOMAINS.grpc), 'b.yaml': rules(DOMAINS.json) } });
    opened(weir, weir.close);
    httpPort = weir.httpPort;
    client = caller(weir.grpcPort);
    opened(client, client.close);
  });

  async function overGrpc({ descriptors, ...rest }: Asked): Promise<Told> {
    const wrapped = descriptors.map(({ hits, ...it }) =>
      hits === undefined ? it : { ...it, hitsAddend: { value: hits } },
    );
    const message = { domain: DOMAINS.grpc, descriptors: wrapped, ...rest } as RateLimitRequest;
    const { overallCode, statuses } = await client.check(message);
    return { overall: overallCode, statuses: statuses.map(statusOverGrpc) };
  }

  function statusOverGrpc({
    code,
    currentLimit,
    limitRemaining,
    durationUntilReset,
  }: RateLimitResponse['statuses'][0]) {
    const { name = '', requestsPerUnit = 0, unit = '' } = currentLimit ?? {};
    return [code, `${name} ${requestsPerUnit} ${unit}`, limitRemaining, durationUntilReset !== null] as const;
  }

  async function overJson({ descriptors, ...rest }: Asked): Promise<Told> {
    const renamed = descriptors.map(({ hits, ...it }) => (hits === undefined ? it : { ...it, hitsAddend: hits }));
    const body = JSON.stringify({ domain: DOMAINS.json, descriptors: renamed, ...rest });
    const answer = await fetch(`http://127.0.0.1:${httpPort}/json`, { method: 'POST', body });
    const { overallCode, statuses } = (await answer.json()) as { overallCode: string; statuses: JsonStatus[] };
    expect(answer.status).to.equal(overallCode === 'OK' ? 200 : 429);
    return { overall: overallCode, statuses: statuses.map(statusOverJson) };
  }

  interface JsonStatus {
    readonly code: string;
    readonly currentLimit?: { readonly name?: string; readonly requestsPerUnit?: number; readonly unit: string };
    readonly limitRemaining?: number;
    readonly durationUntilReset?: string;
  }

  function statusOverJson({ code, currentLimit, limitRemaining = 0, durationUntilReset }: JsonStatus) {
    const { name = '', requestsPerUnit = 0, unit = '' } = currentLimit ?? {};
    return [code, `${name} ${requestsPerUnit} ${unit}`, limitRemaining, durationUntilReset !== undefined] as const;
  }

  it(`decide ${RUNS} random requests alike, one after the other`, async () => {
    let over = 0;
    await fc.assert(
      fc.asyncProperty(request, async (asked) => {
        const told = await overGrpc(asked);
        expect(await overJson(asked)).to.deep.equal(told);
        if (told.overall === 'OVER_LIMIT') over++;
      }),
      // Shrinking would ask anew, of counters that have moved.
      { numRuns: RUNS, endOnFailure: true },
    );
    expect(over).to.be.within(RUNS / 20, RUNS - RUNS / 20);
  });
});
