import fc from 'fast-check';
import { bytes, group, number, varint } from '../grpc/wire.ts';
import { DOMAINS } from './rules.ts';

/** A RateLimitRequest before it is bytes: texts are bytes too, since a caller may send any. */
export interface WireRequest {
  readonly domain: Buffer;
  readonly descriptors: readonly WireDescriptor[];
  readonly hits: bigint | null;
}

export interface WireDescriptor {
  readonly entries: readonly { readonly key: Buffer; readonly value: Buffer }[];
  readonly limit: { readonly requests: bigint; readonly unit: bigint } | null;
  readonly hits: bigint | null;
  readonly refund: boolean;
  /** Fields that no RateLimitDescriptor has. */
  readonly unknown: Buffer;
}

const textBytes = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('user', 'path', 'plan', 'x', 'a_b', 'u1', 'u2', '*', 'a.b', ':|', '10.1.2.3', '{x}'),
  },
  { weight: 2, arbitrary: fc.constantFrom('', '\0', 'a\0b', '\ufeff', '\ufffd', 'é', '🎈', '__proto__', '_other') },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
);
const invalidUtf8 = fc.oneof(
  fc.constantFrom([0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x61, 0xe2, 0x82]),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 }),
);
const text = fc.oneof(
  { weight: 9, arbitrary: textBytes.map((it) => Buffer.from(it)) },
  { weight: 1, arbitrary: invalidUtf8.map((it) => Buffer.from(it)) },
);
const value = fc.oneof(
  { weight: 600, arbitrary: text },
  { weight: 4, arbitrary: fc.constantFrom(2_000, 70_000).map((length) => Buffer.alloc(length, 'v')) },
  { weight: 1, arbitrary: fc.constantFrom(1_000_000, 2_097_153).map((length) => Buffer.alloc(length, 'V')) },
);
const key = fc.oneof(
  { weight: 300, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom(16_384, 16_385).map((length) => Buffer.alloc(length, 'k')) },
);

const smallHits = fc.bigInt({ min: 0n, max: 5n });
const uint64 = fc.oneof(
  { weight: 6, arbitrary: smallHits },
  {
    weight: 2,
    arbitrary: fc.constantFrom(2n ** 31n, 2n ** 32n - 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);
const uint32 = fc.oneof(smallHits, fc.constantFrom(2n ** 31n, 2n ** 32n - 1n));
const unit = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 1n, max: 7n }) },
  { weight: 2, arbitrary: fc.constantFrom(0n, 8n, 99n, 2n ** 31n - 1n, 2n ** 64n - 1n) },
);

function maybe<T>(arbitrary: fc.Arbitrary<T>, weight: number): fc.Arbitrary<T | null> {
  return fc.oneof({ weight, arbitrary }, { weight: 10 - weight, arbitrary: fc.constant(null) });
}

export const unknownFields = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((it) => number(77, it)),
  fc.uint8Array({ maxLength: 20 }).map((it) => bytes(1_000, it)),
  fc.integer({ min: 1, max: 100 }).map(nestedGroups),
);

/** Groups of field 15 in each other, as an old proto2 caller could send them. */
export function nestedGroups(depth: number): Buffer {
  let nested = group(15, number(1, 1));
  for (let i = 1; i < depth; i++) nested = group(15, nested);
  return nested;
}

const descriptor: fc.Arbitrary<WireDescriptor> = fc.record({
  entries: fc.oneof(
    { weight: 60, arbitrary: fc.array(fc.record({ key, value }), { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom(100, 101).map((count) => new Array(count).fill(emptyEntry())) },
  ),
  limit: maybe(fc.record({ requests: uint32, unit }), 3),
  hits: maybe(uint64, 3),
  refund: fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, { weight: 2, arbitrary: fc.constant(true) }),
  unknown: fc.oneof({ weight: 12, arbitrary: fc.constant(Buffer.alloc(0)) }, { weight: 1, arbitrary: unknownFields }),
});

function emptyEntry() {
  return { key: Buffer.alloc(0), value: Buffer.alloc(0) };
}

const descriptors = fc.oneof(
  { weight: 60, arbitrary: fc.array(descriptor, { maxLength: 4 }) },
  { weight: 8, arbitrary: descriptor.map((it) => [it, it, it]) },
  { weight: 1, arbitrary: fc.tuple(descriptor, fc.constantFrom(1_000, 1_001)).map(([, count]) => plain(count)) },
);

/** That many descriptors of one entry each. */
function plain(count: number): WireDescriptor[] {
  const entry = { key: Buffer.from('user'), value: Buffer.from('many') };
  const one = { entries: [entry], limit: null, hits: null, refund: false, unknown: Buffer.alloc(0) };
  return new Array(count).fill(one);
}

export const wireRequest: fc.Arbitrary<WireRequest> = fc.record({
  domain: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...DOMAINS).map((it) => Buffer.from(it)) },
    { weight: 4, arbitrary: text },
  ),
  descriptors,
  hits: maybe(uint32, 2),
});

/** Its bytes, as a well-behaved library writes them. */
export function encode({ domain, descriptors: all, hits }: WireRequest): Buffer {
  return Buffer.concat([
    bytes(1, domain),
    ...all.map((it) => bytes(2, encodeDescriptor(it))),
    ...(hits === null ? [] : [number(3, hits)]),
  ]);
}

function encodeDescriptor({ entries, limit, hits, refund, unknown }: WireDescriptor): Buffer {
  return Buffer.concat([
    ...entries.map((it) => bytes(1, bytes(1, it.key), bytes(2, it.value))),
    ...(limit === null ? [] : [bytes(2, number(1, limit.requests), number(2, limit.unit))]),
    ...(hits === null ? [] : [bytes(3, number(1, hits))]),
    ...(refund ? [number(4, 1)] : []),
    unknown,
  ]);
}

type Mutation = (message: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 0.999, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Cut short, or with something in the middle missing.
  place.map((at) => (it: Buffer) => it.subarray(0, Math.floor(at * it.length))),
  fc.tuple(place, fc.integer({ min: 1, max: 8 })).map(
    ([at, count]) =>
      (it: Buffer) =>
        splice(it, at, count, Buffer.alloc(0)),
  ),
  // One byte changed: lengths, tags, wire types.
  fc.tuple(place, fc.integer({ min: 0, max: 255 })).map(
    ([at, byte]) =>
      (it: Buffer) =>
        splice(it, at, 1, Buffer.of(byte)),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([at, more]) =>
      (it: Buffer) =>
        splice(it, at, 0, Buffer.from(more)),
  ),
  // A known field with a wire type that is not its own.
  fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 9 })).map(
    ([field, type, more]) =>
      (it: Buffer) =>
        Buffer.concat([it, varint(field * 8 + type), more]),
  ),
  unknownFields.map((more) => (it: Buffer) => Buffer.concat([more, it])),
  fc.constant((it: Buffer) => Buffer.concat([it, it])),
  fc.integer({ min: 90, max: 5_000 }).map((depth) => (it: Buffer) => Buffer.concat([it, nestedGroups(depth)])),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => (it: Buffer) => Buffer.concat([it, Buffer.alloc(depth, 0x7b)])),
);

function splice(message: Buffer, at: number, remove: number, insert: Buffer): Buffer {
  const from = Math.floor(at * message.length);
  return Buffer.concat([message.subarray(0, from), insert, message.subarray(from + remove)]);
}

/** Bytes for ShouldRateLimit; `request` is what they mean, where they are the bytes of a request as it should be. */
export interface WireMessage {
  readonly bytes: Buffer;
  readonly request: WireRequest | null;
}

export const wireMessage: fc.Arbitrary<WireMessage> = fc.oneof(
  { weight: 60, arbitrary: wireRequest.map((request) => ({ bytes: encode(request), request })) },
  {
    weight: 35,
    arbitrary: fc
      .tuple(wireRequest, fc.array(mutation, { minLength: 1, maxLength: 3 }))
      .map(([request, mutations]) => ({
        bytes: mutations.reduce((it, mutate) => mutate(it), encode(request)),
        request: null,
      })),
  },
  {
    weight: 5,
    arbitrary: fc.uint8Array({ maxLength: 60 }).map((it) => ({ bytes: Buffer.from(it), request: null })),
  },
);
