import { expect } from 'chai';
import fc from 'fast-check';
import { type CheckRequest, MAX_HITS, REQUEST_BOUNDS, RequestError } from '../../src/core/request.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { DecodeError } from '../../src/grpc/reader.ts';
import { decodeRequest } from '../../src/grpc/rls.ts';
import { bytes, number } from './wire.ts';

const { requestSerialize, requestDeserialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
  .ShouldRateLimit!;

interface Entry {
  key: string;
  value: string;
}

/** A request as protobufjs takes it. Absent fields stay absent. */
interface Sample {
  domain: string;
  descriptors: {
    entries: Entry[];
    limit?: { requestsPerUnit: number; unit: number } | null;
    hitsAddend?: { value: string } | null;
    isNegativeHits?: boolean;
  }[];
  hitsAddend: number;
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom('', 'k', '\0', '\uFFFD', 'a\uFFFDb', 'generic_key', 'é', '😀', 'x'.repeat(200)),
);
const uint32 = fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0, 1, 127, 128, 0x7fff_ffff, 0xffff_ffff));
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0n, 1n, (1n << 32n) - 1n, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, 1n << 63n, (1n << 64n) - 1n),
);
const sample: fc.Arbitrary<Sample> = fc.record({
  domain: text,
  hitsAddend: uint32,
  descriptors: fc.array(
    fc.record(
      {
        entries: fc.array(fc.record({ key: text, value: text }), { maxLength: 4 }),
        limit: fc.option(fc.record({ requestsPerUnit: uint32, unit: fc.integer({ min: -2, max: 99 }) })),
        hitsAddend: fc.option(uint64.map((value) => ({ value: value.toString() }))),
        isNegativeHits: fc.boolean(),
      },
      { requiredKeys: ['entries'] },
    ),
    { maxLength: 5 },
  ),
});

function expected({ domain, descriptors, hitsAddend }: Sample): CheckRequest {
  return {
    domain,
    hits: hitsAddend,
    descriptors: descriptors.map((d) => ({
      entries: d.entries,
      limit: d.limit ?? null,
      hits: d.hitsAddend ? Math.min(Number(d.hitsAddend.value), MAX_HITS) : null,
      refund: d.isNegativeHits ?? false,
    })),
  };
}

describe('decodeRequest', () => {
  it('reads what protobufjs wrote', () => {
    fc.assert(
      fc.property(sample, (request) => {
        expect(decodeRequest(requestSerialize(request))).to.deep.equal(expected(request));
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses a message cut anywhere but between two fields, and reads what protobufjs reads there', () => {
    let refused = 0;
    fc.assert(
      fc.property(sample, (request) => {
        const message = requestSerialize(request);
        const seams = seamsOf(message);
        for (let length = 0; length < Math.min(message.length, 300); length++) {
          const cut = message.subarray(0, length);
          if (seams.has(length)) {
            expect(decodeRequest(cut)).to.deep.equal(fromTheirs(requestDeserialize(cut) as Sample));
          } else {
            expect(() => decodeRequest(cut), `cut at ${length} of ${message.toString('hex')}`).to.throw(DecodeError);
            refused++;
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(refused).to.be.greaterThan(1000);
  });

  it('answers any bytes with a request, a DecodeError or a RequestError', () => {
    const seen = new Set<string>();
    const mutated = fc
      .tuple(sample, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 5 }))
      .map(([request, changes]) => {
        const message = Buffer.from(requestSerialize(request));
        for (const [at, byte] of changes) if (message.length > 0) message[at % message.length] = byte;
        return message;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 100 })), (message) => {
        try {
          decodeRequest(message);
          seen.add('request');
        } catch (error) {
          expect((error as Error).name).to.be.oneOf(['DecodeError', 'RequestError']);
          seen.add((error as Error).name);
        }
      }),
      { numRuns: 5000 },
    );
    expect(seen).to.include('request').and.include('DecodeError');
  });

  it('reads zero bytes as a request with no domain and no descriptors', () => {
    expect(decodeRequest(new Uint8Array())).to.deep.equal({ domain: '', descriptors: [], hits: 0 });
  });

  it('reads a plain Uint8Array that lies in the middle of another buffer', () => {
    const message = Buffer.concat([Buffer.from('zz'), bytes(1, 'edge'), Buffer.from('zz')]);
    const view = new Uint8Array(message.buffer, message.byteOffset + 2, message.length - 4);
    expect(decodeRequest(view).domain).to.equal('edge');
  });

  describe('merging', () => {
    const one = (...parts: Buffer[]) => decodeRequest(bytes(2, ...parts)).descriptors[0];

    it('takes the last of a scalar that comes twice', () => {
      expect(decodeRequest(Buffer.concat([bytes(1, 'a'), number(3, 1), bytes(1, 'b'), number(3, 2)]))).to.deep.equal({
        domain: 'b',
        descriptors: [],
        hits: 2,
      });
      expect(one(bytes(1, bytes(1, 'a'), bytes(2, 'x'), bytes(1, 'b')))?.entries).to.deep.equal([
        { key: 'b', value: 'x' },
      ]);
    });

    it('merges a limit that comes in two pieces', () => {
      expect(one(bytes(2, number(1, 10)), bytes(2, number(2, 4)))?.limit).to.deep.equal({
        requestsPerUnit: 10,
        unit: 4,
      });
    });

    it('keeps hits of 7 when an empty hits_addend follows', () => {
      expect(one(bytes(3, number(1, 7)), bytes(3))?.hits).to.equal(7);
    });

    it('tells hits of 0 from absent hits', () => {
      expect(one(bytes(3))?.hits).to.equal(0);
      expect(one()?.hits).to.equal(null);
    });
  });

  describe('numbers', () => {
    const hits = (value: bigint) => decodeRequest(bytes(2, bytes(3, number(1, value)))).descriptors[0]?.hits;

    it('saturates descriptor hits at 2^53-1', () => {
      expect(hits((1n << 53n) - 2n)).to.equal(2 ** 53 - 2);
      expect(hits((1n << 53n) - 1n)).to.equal(MAX_HITS);
      expect(hits(1n << 53n)).to.equal(MAX_HITS);
      expect(hits(1n << 63n)).to.equal(MAX_HITS);
      expect(hits((1n << 64n) - 1n)).to.equal(MAX_HITS);
    });

    it('keeps the low 32 bits of a request hits_addend of 2^32+5', () => {
      expect(decodeRequest(number(3, (1n << 32n) + 5n)).hits).to.equal(5);
    });

    it('reads a unit of -1 and is_negative_hits of 2^40', () => {
      const descriptor = bytes(2, bytes(2, number(2, (1n << 64n) - 1n)), number(4, 1n << 40n));
      expect(decodeRequest(descriptor).descriptors[0]).to.deep.include({
        limit: { requestsPerUnit: 0, unit: -1 },
        refund: true,
      });
    });

    it('reads a varint padded to ten bytes and refuses one of more than 64 bits', () => {
      const padded = Buffer.from([0x18, 0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
      expect(decodeRequest(padded).hits).to.equal(5);
      padded[10] = 0x02;
      expect(() => decodeRequest(padded)).to.throw(DecodeError, 'more than 64 bits');
      const eleven = Buffer.from([0x18, ...new Array(10).fill(0x80), 0x00]);
      expect(() => decodeRequest(eleven)).to.throw(DecodeError, 'more than 64 bits');
    });
  });

  describe('bounds', () => {
    const bounds = { maxDescriptors: 2, maxEntries: 3, maxKeyBytes: 4, maxValueBytes: 5, maxNesting: 100 };
    const read = (message: Buffer) => () => decodeRequest(message, bounds);
    const descriptor = (...parts: Buffer[]) => bytes(2, ...parts);
    const entry = (key: string, value: string) => bytes(1, bytes(1, key), bytes(2, value));

    it('takes 2 descriptors of 3 entries of 4 and 5 bytes', () => {
      const full = descriptor(entry('kkkk', 'vvvvv'), entry('kkkk', 'vvvvv'), entry('kkkk', 'vvvvv'));
      expect(read(Buffer.concat([full, full]))().descriptors).to.have.length(2);
    });

    it('refuses one more of each, and says which limit', () => {
      const refused = (message: Buffer, text: string) => expect(read(message)).to.throw(RequestError, text);
      refused(Buffer.concat([descriptor(), descriptor(), descriptor()]), 'descriptors in a request, the limit is 2');
      refused(descriptor(entry('', ''), entry('', ''), entry('', ''), entry('', '')), 'entries in a descriptor');
      refused(descriptor(entry('kkkkk', '')), 'entry key has 5 bytes, the limit is 4');
      refused(descriptor(entry('', 'vvvvvv')), 'entry value has 6 bytes, the limit is 5');
      refused(bytes(1, 'ddddd'), 'domain has 5 bytes, the limit is 4');
    });

    it('counts bytes, not characters', () => {
      expect(read(descriptor(entry('', 'é€'))) as () => void).not.to.throw();
      expect(read(descriptor(entry('', 'éé€')))).to.throw(RequestError, '7 bytes');
    });

    it('takes a value of 1,000,000 bytes by default', () => {
      const value = 'v'.repeat(1_000_000);
      expect(decodeRequest(descriptor(entry('k', value))).descriptors[0]?.entries[0]?.value).to.equal(value);
      expect(REQUEST_BOUNDS.maxValueBytes).to.be.greaterThan(1_048_576);
    });
  });
});

/** Where one field of a request ends and the next begins. protobufjs itself reads strings that are cut short. */
function seamsOf(message: Buffer): Set<number> {
  const seams = new Set([0]);
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const isNumber = (read() & 7) === 0;
    const value = read();
    if (!isNumber) at += value;
    seams.add(at);
  }
  return seams;
}

const UNIT_NAMES = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'];

/** What protobufjs read, in our terms. Numbers beyond 2^53 saturate, as ours do. */
function fromTheirs(request: Sample): CheckRequest {
  return expected({
    ...request,
    descriptors: (request.descriptors ?? []).map((d) => ({
      ...d,
      entries: (d.entries ?? []).map(({ key, value }) => ({ key, value })),
      ...(d.limit ? { limit: { ...d.limit, unit: unitNumber(d.limit.unit) } } : {}),
      hitsAddend: d.hitsAddend ? { value: String(d.hitsAddend.value) } : null,
    })),
  });
}

/** protobufjs gives the name of a known unit and the number of another. */
function unitNumber(unit: number | string): number {
  return typeof unit === 'string' ? UNIT_NAMES.indexOf(unit) : unit;
}
