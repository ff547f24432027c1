import { expect } from 'chai';
import type { Decision } from '../../src/core/decision.ts';
import { CallerGoneError, StoreError } from '../../src/core/ports.ts';
import { project } from '../../src/core/projection.ts';
import { REQUEST_BOUNDS } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { RPC_CODE, type RpcError } from '../../src/grpc/handler.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { shouldRateLimit } from '../../src/grpc/should-rate-limit.ts';
import { jsonHandler } from '../../src/http/json.ts';
import { type Limiter, limiter } from '../../src/limiter.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { read } from '../house/tree.ts';
import { rulesetOf } from '../rules/rules.ts';

const RULES = rulesetOf('domain: shop\ndescriptors: [{ key: k, rate_limit: { unit: hour, requests_per_unit: 1 } }]\n');
const DESCRIPTOR = { entries: [{ key: 'k', value: 'v' }] };
const WELL = { domain: 'shop', descriptors: [DESCRIPTOR] };
const failing = (error: Error): Limiter => ({ inFlight: () => 0, decide: () => Promise.reject(error) });

interface Provoked {
  readonly request?: object;
  readonly bytes?: Uint8Array;
  readonly by?: Limiter;
}

/** How to bring about each case of the table, by its first column. */
const PROVOKED: Readonly<Record<string, Provoked>> = {
  'no domain': { request: { ...WELL, domain: '' } },
  'no descriptors': { request: { ...WELL, descriptors: [] } },
  'a limit with an unknown unit': {
    request: { ...WELL, descriptors: [{ ...DESCRIPTOR, limit: { requestsPerUnit: 1, unit: 99 } }] },
  },
  'too many descriptors': { request: { ...WELL, descriptors: new Array(1001).fill(DESCRIPTOR) } },
  'bytes that are no request': { bytes: Buffer.of(0xff) },
  'no rules have ever been loaded': { by: ours(null) },
  'the store cannot count': { by: failing(new StoreError('unavailable', 'Redis is not there')) },
  'too much to do': { by: failing(new StoreError('busy', 'too many batches wait for Redis')) },
  'the caller has gone': { by: failing(new CallerGoneError()) },
  'a defect of weir': { by: failing(new Error('a defect')) },
};

describe('the errors of docs/protocol.md', () => {
  const rows = rowsBelow('| Case | gRPC code |');

  it('are all that are brought about here, and no more', () => {
    expect(rows.map(([first]) => first)).to.deep.equal(Object.keys(PROVOKED));
  });

  for (const [name = '', code, message = '', status = ''] of rows) {
    it(`tell ${code} and ${status}: ${name}`, async () => {
      const { request = WELL, bytes, by = ours(RULES) } = PROVOKED[name] ?? {};
      const refused = await overGrpc(by, bytes ?? Buffer.from(serialize(request)));
      expect(refused.code).to.equal(RPC_CODE[camel(code ?? '')]);
      const [, text] = /^`(.*?)(?:\.\.\.)?`$/.exec(message) ?? [];
      if (text !== undefined) expect(refused.message.startsWith(text), refused.message).to.equal(true);
      if (status !== '-') expect(await overJson(by, bytes ?? JSON.stringify(request))).to.equal(Number(status));
    });
  }
});

function ours(rules: Ruleset | null): Limiter {
  return limiter(
    {
      ruleset: () => rules,
      store: memoryStore({ maxKeys: 10 }),
      clock: { nowUs: () => 1_795_248_000_000_000 },
      observer: { decided() {}, storeFailed() {}, requestRefused() {}, rulesLoaded() {} },
    },
    { keyPrefix: '', keyFormat: 'go', hashValue: (it) => it, quotaMode: false, shadowMode: false, charge: 'always' },
  );
}

const projected = (decision: Decision) =>
  project(decision, { headerNames: null, retryAfterName: '', dynamicMetadata: false });

function serialize(request: object): Uint8Array {
  return serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit!.requestSerialize(request);
}

async function overGrpc(by: Limiter, message: Uint8Array): Promise<RpcError> {
  const handler = shouldRateLimit({ limiter: by, project: projected, onBug: () => {} });
  const call = { deadlineMs: null, cancelled: false, peer: '127.0.0.1:1', header: () => null };
  return handler(message, call).then(
    () => expect.fail('it was answered'),
    (error: RpcError) => error,
  );
}

/** 500 is what the server makes of what a handler throws. */
async function overJson(by: Limiter, body: string | Uint8Array): Promise<number> {
  const handler = jsonHandler({ limiter: by, project: projected, bounds: REQUEST_BOUNDS });
  const exchange = { method: 'POST', path: '/json', query: '', headers: {}, peer: '127.0.0.1' };
  const caller = { deadlineMs: null, cancelled: false };
  try {
    const reply = await handler({ ...exchange, body: Buffer.from(body), caller, onClosed: () => {} });
    return reply.status;
  } catch {
    return 500;
  }
}

/** INVALID_ARGUMENT -> invalidArgument */
function camel(code: string): keyof typeof RPC_CODE {
  return code.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof typeof RPC_CODE;
}

function rowsBelow(heading: string): readonly (readonly string[])[] {
  const page = read('docs/protocol.md');
  const [table = ''] = page.slice(page.indexOf(heading)).split('\n\n');
  return table
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
