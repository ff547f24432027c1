import { expect } from 'chai';
import { MAX_HITS } from '../../src/core/request.ts';
import { JsonError } from '../../src/http/json-text.ts';
import { requestFromJson } from '../../src/http/proto-json.ts';

const BOUNDS = { maxDescriptors: 3, maxEntries: 2, maxKeyBytes: 10, maxValueBytes: 20, maxNesting: 100 };
const read = (text: string) => requestFromJson(text, BOUNDS);
const hitsOf = (written: string) => read(`{"hitsAddend":${written}}`).hits;
const descriptorOf = (written: string) => read(`{"descriptors":[${written}]}`).descriptors[0]!;

describe('RateLimitRequest in proto3 JSON', () => {
  it('reads every field in camelCase', () => {
    const text = JSON.stringify({
      domain: 'shop',
      descriptors: [
        {
          entries: [{ key: 'k', value: 'v' }],
          limit: { requestsPerUnit: 9, unit: 'DAY' },
          hitsAddend: '5',
          isNegativeHits: true,
        },
      ],
      hitsAddend: 3,
    });
    const limit = { requestsPerUnit: 9, unit: 4 };
    expect(read(text)).to.deep.equal({
      domain: 'shop',
      descriptors: [{ entries: [{ key: 'k', value: 'v' }], limit, hits: 5, refund: true }],
      hits: 3,
    });
  });

  it('reads every field in snake_case', () => {
    const text =
      '{"hits_addend":3,"descriptors":[{"hits_addend":5,"is_negative_hits":true,"limit":{"requests_per_unit":9}}]}';
    expect(read(text)).to.deep.equal({
      domain: '',
      descriptors: [{ entries: [], limit: { requestsPerUnit: 9, unit: 0 }, hits: 5, refund: true }],
      hits: 3,
    });
  });

  it('takes null for an absent field', () => {
    const text =
      '{"domain":null,"hitsAddend":null,"descriptors":[{"entries":null,"limit":null,"hitsAddend":null,"isNegativeHits":null}]}';
    expect(read(text)).to.deep.equal({
      domain: '',
      descriptors: [{ entries: [], limit: null, hits: null, refund: false }],
      hits: 0,
    });
    expect(descriptorOf('{"entries":[{"key":null}],"limit":{"unit":null}}')).to.deep.equal({
      entries: [{ key: '', value: '' }],
      limit: { requestsPerUnit: 0, unit: 0 },
      hits: null,
      refund: false,
    });
  });

  it('takes 100 written as 1e2, 1E+2, 100.0, 1000e-1 and as text', () => {
    for (const written of ['100', '1e2', '1E+2', '100.0', '1000e-1', '0.1e3', '"100"', '"1e2"']) {
      expect(hitsOf(written), written).to.equal(100);
    }
    expect(hitsOf('0')).to.equal(0);
    expect(hitsOf('0.0e5')).to.equal(0);
    expect(hitsOf('4294967295')).to.equal(4_294_967_295);
  });

  for (const written of [
    '-1',
    '1.5',
    '"1.5"',
    '1e-1',
    '4294967296',
    '1e999999999999',
    '"abc"',
    '""',
    '" 5"',
    '"5 "',
    '"01"',
    '"0x5"',
    'true',
    '[]',
    '{}',
    '"null"',
    '"[1]"',
  ]) {
    it(`refuses ${written} hits`, () => {
      expect(() => hitsOf(written)).to.throw(JsonError);
    });
  }

  it('saturates descriptor hits from 2^53 up, and refuses 2^64', () => {
    expect(descriptorOf('{"hitsAddend":"9007199254740991"}').hits).to.equal(MAX_HITS);
    expect(descriptorOf('{"hitsAddend":9007199254740993}').hits).to.equal(MAX_HITS);
    expect(descriptorOf('{"hitsAddend":"18446744073709551615"}').hits).to.equal(MAX_HITS);
    expect(() => descriptorOf('{"hitsAddend":"18446744073709551616"}')).to.throw(JsonError);
  });

  it('takes 0 descriptor hits for a look, not for absent', () => {
    expect(descriptorOf('{"hitsAddend":0}').hits).to.equal(0);
  });

  it('takes a unit by name or by number, known or not', () => {
    const unitOf = (written: string) => descriptorOf(`{"limit":{"unit":${written}}}`).limit!.unit;
    const named = ['"UNKNOWN"', '"SECOND"', '"MINUTE"', '"HOUR"', '"DAY"', '"MONTH"', '"YEAR"'];
    expect(named.map(unitOf)).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect(['4', '7', '99', '-1', '2147483647', '-2147483648'].map(unitOf)).to.deep.equal([
      4, 7, 99, -1, 2147483647, -2147483648,
    ]);
    for (const written of ['"FORTNIGHT"', '"day"', '"4"', '"WEEK"', '1.5', '2147483648', '-2147483649', 'true']) {
      expect(() => unitOf(written), written).to.throw(JsonError);
    }
  });

  const refused: readonly string[] = [
    '',
    '}',
    '[]',
    'null',
    '"x"',
    '{"domain":7}',
    '{"what":1}',
    '{"Domain":"a"}',
    '{"domain":"a","domain":"b"}',
    '{"hitsAddend":1,"hits_addend":1}',
    '{"descriptors":{}}',
    '{"descriptors":[null]}',
    '{"descriptors":[[]]}',
    '{"descriptors":[{"entries":[null]}]}',
    '{"descriptors":[{"entries":[{"key":"k","values":"v"}]}]}',
    '{"descriptors":[{"isNegativeHits":"true"}]}',
    '{"__proto__":{}}',
    '{"constructor":null}',
    '{} trailing',
  ];
  for (const text of refused) {
    it(`refuses ${text === '' ? 'nothing' : text}`, () => {
      expect(() => read(text)).to.throw(JsonError);
    });
  }

  it('refuses the 4th descriptor, the 3rd entry, and texts longer than their bounds in bytes', () => {
    const descriptors = (n: number) => read(`{"descriptors":[${Array(n).fill('{}').join()}]}`);
    const entries = (n: number) => descriptorOf(`{"entries":[${Array(n).fill('{}').join()}]}`);
    const key = (text: string) => descriptorOf(`{"entries":[{"key":"${text}"}]}`);
    const value = (text: string) => descriptorOf(`{"entries":[{"value":"${text}"}]}`);
    for (const fits of [() => descriptors(3), () => entries(2), () => key('é'.repeat(5)), () => value('x'.repeat(20))])
      fits();
    for (const over of [
      () => descriptors(4),
      () => entries(3),
      () => key('é'.repeat(6)),
      () => value('x'.repeat(21)),
    ]) {
      expect(over).to.throw(JsonError);
    }
    expect(() => read(`{"domain":"${'x'.repeat(11)}"}`)).to.throw(JsonError);
  });
});

describe('a body of 2,000,000 zeros', () => {
  const zeros = `[${'0,'.repeat(1_999_999)}0]`;
  const refusedAt = (text: string): number => {
    try {
      read(text);
    } catch (error) {
      expect(error).to.be.instanceOf(JsonError);
      return Number(/ at character (\d+)$/.exec((error as Error).message)?.[1]);
    }
    throw new Error('it was taken');
  };

  it('is refused before its list is read where no list or no such member belongs', () => {
    const places = ['{"x":_}', '{"domain":_}', '{"hitsAddend":_}', '_', '{"descriptors":[{"entries":[{"key":_}]}]}'];
    for (const place of places) expect(refusedAt(place.replace('_', zeros)), place).to.be.below(50);
  });

  it('is refused at the first item beyond the bound where a list belongs', () => {
    for (const place of ['{"descriptors":_}', '{"descriptors":[{"entries":_}]}']) {
      expect(refusedAt(place.replace('_', zeros)), place).to.be.below(50);
    }
  });

  it('is refused before its list is read where it stands in quotes as a number', () => {
    expect(refusedAt(`{"hitsAddend":"${zeros}"}`)).to.be.below(50);
  });
});

describe('long numbers in requestFromJson', () => {
  it('refuses a number of 4 million digits without doing sums with it', () => {
    const zeros = '0'.repeat(4_000_000);
    for (const digits of [`1${zeros}1`, `1${zeros}`, `0.${zeros}1`, `1e${zeros}`, `"1${zeros}1"`]) {
      expect(() => hitsOf(digits)).to.throw(JsonError, 'out of range');
    }
  });
});
