import { expect } from 'chai';
import fc from 'fast-check';
import type { Verdict } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import type { Json, JsonObject } from '../../src/core/ruleset.ts';
import { UNIT_NUMBER, type Unit } from '../../src/core/unit.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { encodeResponse } from '../../src/grpc/rls.ts';
import { MAX_STRUCT_DEPTH } from '../../src/grpc/struct.ts';
import { rule } from '../support/rule.ts';
import { decision, limited, verdict } from './decisions.ts';

const { responseDeserialize, responseSerialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
  .ShouldRateLimit!;

const PLAIN = { headers: [], metadata: null };
const UNITS = Object.keys(UNIT_NUMBER) as Unit[];

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.constantFrom('', 'a'.repeat(63), 'a'.repeat(64), 'a'.repeat(65), 'a'.repeat(127), 'a'.repeat(128), 'é'.repeat(64)),
  fc.constantFrom('a'.repeat(20_000), '€'.repeat(5000)),
);
const uint32 = fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32 - 1));

/** A verdict and the status protobufjs should read of it. */
const limitedPair = fc
  .record({ unit: fc.constantFrom(...UNITS), requestsPerUnit: uint32, name: text, remaining: uint32 })
  .chain((numbers) =>
    fc.record({
      numbers: fc.constant(numbers),
      outcome: fc.constantFrom('ok' as const, 'over_limit' as const),
      resetAfterUs: fc.integer({ min: 1, max: 31_536_000_000_000 }),
      isOverride: fc.boolean(),
    }),
  )
  .map(({ numbers: { unit, requestsPerUnit, name, remaining }, outcome, resetAfterUs, isOverride }) => {
    const numbers = { unit, requestsPerUnit };
    const match = isOverride ? limited(limit(numbers), null) : limited(limit(numbers, { name }));
    return {
      verdict: verdict(match, { outcome, remaining, resetAfterUs }),
      status: {
        code: outcome === 'ok' ? 'OK' : 'OVER_LIMIT',
        currentLimit: { requestsPerUnit, unit: unit.toUpperCase(), name: isOverride ? '' : name },
        limitRemaining: remaining,
        durationUntilReset: { seconds: Math.ceil(resetAfterUs / 1_000_000), nanos: 0 },
        quota: null,
      },
    };
  });
const freePair = fc.constantFrom(
  { verdict: verdict({ kind: 'none', because: 'no_rule' }), status: free(0) },
  { verdict: verdict({ kind: 'unlimited', rule: rule() }, { remaining: 2 ** 32 - 1 }), status: free(2 ** 32 - 1) },
  { verdict: verdict({ kind: 'replaced', rule: rule() }), status: free(0) },
);

function free(limitRemaining: number) {
  return { code: 'OK', currentLimit: null, limitRemaining, durationUntilReset: null, quota: null };
}

const object = fc.dictionary(
  text,
  fc.jsonValue({ maxDepth: 4 }).map((value) => value as Json),
  { maxKeys: 4 },
);

describe('encodeResponse', () => {
  it('writes what protobufjs reads as the same answer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(limitedPair, freePair), { maxLength: 6 }),
        fc.constantFrom('ok' as const, 'over_limit' as const),
        fc.array(fc.record({ key: text, value: text }), { maxLength: 3 }),
        fc.option(object),
        (pairs, outcome, headers, metadata) => {
          const verdicts: Verdict[] = pairs.map((pair) => pair.verdict);
          const bytes = encodeResponse(decision(outcome, verdicts), { headers, metadata });
          const read = responseDeserialize(bytes) as Record<string, unknown>;
          expect(read.overallCode).to.equal(outcome === 'ok' ? 'OK' : 'OVER_LIMIT');
          expect(read.statuses ?? []).to.deep.equal(pairs.map((pair) => pair.status));
          expect(read.responseHeadersToAdd ?? []).to.deep.equal(
            headers.map((h) => ({ ...h, rawValue: Buffer.alloc(0) })),
          );
          expect(read.dynamicMetadata === null ? null : jsonOfStruct(read.dynamicMetadata)).to.deep.equal(metadata);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('writes the very bytes of protobufjs for an answer of one rule', () => {
    const match = limited(limit({ requestsPerUnit: 300, unit: 'week' }, { name: 'weekly' }));
    const one = verdict(match, { remaining: 299, resetAfterUs: 59_000_001 });
    const theirs = responseSerialize({
      overallCode: 'OK',
      statuses: [
        {
          code: 'OK',
          currentLimit: { requestsPerUnit: 300, unit: 'WEEK', name: 'weekly' },
          limitRemaining: 299,
          durationUntilReset: { seconds: 60 },
        },
      ],
    });
    expect(encodeResponse(decision('ok', [one]), PLAIN).toString('hex')).to.equal(theirs.toString('hex'));
  });

  it('is never zero bytes and never UNKNOWN, even without a verdict', () => {
    expect([...encodeResponse(decision('ok', []), PLAIN)]).to.deep.equal([8, 1]);
    expect([...encodeResponse(decision('over_limit', []), PLAIN)]).to.deep.equal([8, 2]);
  });

  it('tells the name that is to be shown: k;w=300 for a limit on k of 5 minutes', () => {
    const five = limit({ requestsPerUnit: 1, unit: 'minute', multiplier: 5 }, { shownName: 'k;w=300' });
    const read = responseDeserialize(encodeResponse(decision('ok', [verdict(limited(five))]), PLAIN)) as {
      statuses: { currentLimit: unknown }[];
    };
    expect(read.statuses[0]?.currentLimit).to.deep.equal({ requestsPerUnit: 1, unit: 'MINUTE', name: 'k;w=300' });
  });

  it('rounds a reset 1 us away up to 1 second', () => {
    const match = limited(limit({ requestsPerUnit: 1, unit: 'second' }));
    const read = responseDeserialize(encodeResponse(decision('ok', [verdict(match, { resetAfterUs: 1 })]), PLAIN)) as {
      statuses: { durationUntilReset: unknown }[];
    };
    expect(read.statuses[0]?.durationUntilReset).to.deep.equal({ seconds: 1, nanos: 0 });
  });

  it('sends a lone surrogate as U+FFFD', () => {
    const metadata: JsonObject = { domain: 'a\uDCFFb', 'k\uDC80': ['\uD800'] };
    const read = responseDeserialize(encodeResponse(decision('ok', []), { headers: [], metadata })) as Record<
      string,
      unknown
    >;
    expect(jsonOfStruct(read.dynamicMetadata)).to.deep.equal({ domain: 'a\uFFFDb', 'k\uFFFD': ['\uFFFD'] });
  });

  it(`keeps ${MAX_STRUCT_DEPTH} levels of metadata and sends null for what lies deeper`, () => {
    const nested = (levels: number): JsonObject => {
      let inner: JsonObject = { end: true };
      for (let i = 1; i < levels; i++) inner = { inner };
      return inner;
    };
    const sent = (metadata: JsonObject) => {
      const bytes = encodeResponse(decision('ok', []), { headers: [], metadata });
      return jsonOfStruct((responseDeserialize(bytes) as Record<string, unknown>).dynamicMetadata);
    };
    expect(sent(nested(MAX_STRUCT_DEPTH))).to.deep.equal(nested(MAX_STRUCT_DEPTH));
    expect(JSON.stringify(sent(nested(MAX_STRUCT_DEPTH + 1))))
      .to.contain('{"inner":null}')
      .and.not.contain('end');
    expect(JSON.stringify(sent(nested(2000)))).to.contain('{"inner":null}');
  });

  it('does not let one answer show in the next', () => {
    const big = encodeResponse(decision('ok', []), {
      headers: [{ key: 'k', value: 'v'.repeat(200_000) }],
      metadata: null,
    });
    const small = encodeResponse(decision('over_limit', []), PLAIN);
    expect(big.length).to.be.greaterThan(200_000);
    encodeResponse(decision('ok', []), { headers: [{ key: 'x', value: 'y' }], metadata: null });
    expect([...small]).to.deep.equal([8, 2]);
  });
});

interface Value {
  kind?: string;
  nullValue?: unknown;
  numberValue?: number;
  stringValue?: string;
  boolValue?: boolean;
  structValue?: unknown;
  listValue?: { values?: Value[] };
}

function jsonOfStruct(struct: unknown): Json {
  const { fields = {} } = struct as { fields?: Record<string, Value> };
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonOfValue(value)]));
}

function jsonOfValue(value: Value): Json {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.numberValue !== undefined) return value.numberValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.structValue !== undefined) return jsonOfStruct(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(jsonOfValue);
  if (value.nullValue !== undefined) return null;
  throw new Error(`a Value without a kind: ${JSON.stringify(value)}`);
}
