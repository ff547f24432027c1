import { expect } from 'chai';
import fc from 'fast-check';
import { Decoder, type Fields, HpackError } from '../../src/wire/hpack/decoder.ts';
import { encodeBlock } from '../../src/wire/hpack/encoder.ts';
import { huffmanDecode, huffmanEncode, huffmanLength } from '../../src/wire/hpack/huffman.ts';
import { LAW_RUNS } from '../laws/runs.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const decoder = (maxTableBytes = 4096, maxListBytes = 65_536) => new Decoder({ maxTableBytes, maxListBytes });
const decode = (by: Decoder, block: Buffer): Fields => by.decode(block, 0, block.length);

/** Bytes as a latin1 string. */
const byteText = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const text = fc.oneof(
  fc.string({ maxLength: 40 }).map((it) => Buffer.from(it).toString('latin1')),
  byteText(100),
);
const field = fc.oneof(
  fc.tuple(text, text),
  fc.constantFrom<[string, string][]>(
    [':method', 'POST'],
    [':path', '/'],
    ['content-type', 'application/grpc'],
    ['te', 'x'],
  ),
);
const block = fc.array(field, { maxLength: 30 }).map((fields) => fields.flat());

describe('HPACK', () => {
  describe('the examples of RFC 7541, appendix C', () => {
    const first = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
    const second = [...first, 'cache-control', 'no-cache'];
    const third = [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'];
    const requests = [first, second, [...third, 'custom-key', 'custom-value']];
    const at = (seconds: number) => `Mon, 21 Oct 2013 20:13:${seconds} GMT`;
    const page = (status: string, seconds: number) => [
      ...[':status', status, 'cache-control', 'private', 'date', at(seconds), 'location', 'https://www.example.com'],
    ];
    const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
    const last = [...page('200', 22), 'content-encoding', 'gzip', 'set-cookie', cookie];
    const responses = [page('302', 21), page('307', 21), last];

    it('reads the integers of C.1 that lie in a field: 10 and 1,337 behind a pattern of 3 bits', () => {
      // C.1.3 is an integer of 8 bits, and HPACK has none.
      expect(() => decode(decoder(9), hex('2a'))).to.throw(HpackError, 'a table of 10 bytes');
      expect(() => decode(decoder(1_336), hex('3f9a0a'))).to.throw(HpackError, 'a table of 1337 bytes');
      for (const block of ['2a', '3f9a0a']) expect(decode(decoder(1_337), hex(block))).to.deep.equal([]);
    });

    it('decodes the single fields of C.2', () => {
      const custom = hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572');
      expect(decode(decoder(), custom)).to.deep.equal(['custom-key', 'custom-header']);
      const path = hex('040c 2f73 616d 706c 652f 7061 7468');
      expect(decode(decoder(), path)).to.deep.equal([':path', '/sample/path']);
      const never = hex('1008 7061 7373 776f 7264 0673 6563 7265 74');
      expect(decode(decoder(), never)).to.deep.equal(['password', 'secret']);
      expect(decode(decoder(), hex('82'))).to.deep.equal([':method', 'GET']);
    });

    const sequences: readonly (readonly [string, number, string[][], string[]])[] = [
      [
        'C.3, requests without Huffman',
        4096,
        requests,
        [
          '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
          '8286 84be 5808 6e6f 2d63 6163 6865',
          '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        ],
      ],
      [
        'C.4, requests with Huffman',
        4096,
        requests,
        [
          '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
          '8286 84be 5886 a8eb 1064 9cbf',
          '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
        ],
      ],
      [
        'C.5, responses without Huffman that evict',
        256,
        responses,
        [
          '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
          '4803 3330 37c1 c0bf',
          '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
        ],
      ],
      [
        'C.6, responses with Huffman that evict',
        256,
        responses,
        [
          '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
          '4883 640e ffc1 c0bf',
          '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
        ],
      ],
    ];
    for (const [name, tableBytes, lists, blocks] of sequences) {
      it(`decodes the 3 blocks of ${name}`, () => {
        const one = decoder(tableBytes);
        expect(blocks.map((it) => decode(one, hex(it)))).to.deep.equal(lists);
      });
    }
  });

  it('decodes what it encodes, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 4 }), (blocks) => {
        const one = decoder();
        for (const it of blocks) expect(decode(one, encodeBlock(it))).to.deep.equal(it);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('decodes the Huffman code of any bytes, of the length that was foretold', () => {
    fc.assert(
      fc.property(byteText(300), (it) => {
        const bytes = Buffer.alloc(it.length * 4 + 1);
        const end = huffmanEncode(it, bytes, 0);
        expect(end).to.equal(huffmanLength(it));
        expect(huffmanDecode(bytes, 0, end)).to.equal(it);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('reads random bytes as fields or refuses them, and what is Huffman is so in one way only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const given = Buffer.from(bytes);
        try {
          expect(decode(decoder(), given).length % 2).to.equal(0);
        } catch (error) {
          expect(error).to.be.instanceOf(HpackError);
        }
        const read = huffmanDecode(given, 0, given.length);
        if (read === null) return;
        const again = Buffer.alloc(given.length);
        expect(huffmanEncode(read, again, 0)).to.equal(given.length);
        expect(again.equals(given)).to.equal(true);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('refuses padding of 8 ones, padding of zeros, and EOS', () => {
    // '0' is 00000.
    expect(huffmanDecode(hex('07'), 0, 1)).to.equal('0');
    expect(huffmanDecode(hex('07ff'), 0, 2)).to.equal(null);
    expect(huffmanDecode(hex('06'), 0, 1)).to.equal(null);
    expect(huffmanDecode(hex('ffffffff'), 0, 4)).to.equal(null);
    expect(huffmanDecode(hex('ff'), 0, 1)).to.equal(null);
  });

  it('takes a size update of 0 and one of 4096 at the start of a block, and empties the table', () => {
    const one = decoder();
    decode(one, hex('4001 61 01 62'));
    expect(decode(one, hex('be'))).to.deep.equal(['a', 'b']);
    expect(decode(one, hex('20 3fe11f 82'))).to.deep.equal([':method', 'GET']);
    expect(() => decode(one, hex('be'))).to.throw(HpackError, 'index 62 is beyond the table');
  });

  for (const [what, bytes, message] of [
    ['a size update above ours', '3fe21f', 'a table of 4097 bytes, the limit is 4096'],
    ['a size update behind a field', '82 20', 'a size update behind a field'],
    ['a third size update', '20 20 20', 'more than two size updates in a block'],
    ['index 0', '80', 'index 0'],
    ['an index beyond the table', 'be', 'index 62 is beyond the table'],
    ['a name index beyond the table', '7f8001 01 61', 'index 191 is beyond the table'],
    ['an integer without an end', 'ff ff', 'an integer is cut short'],
    ['an integer above 2^28', 'ff ffffffff0f', 'an integer is too large'],
    ['an integer of zeros without an end', 'ff 80808080808080', 'an integer is too large'],
    ['a string without its bytes', '0003 6162', 'a string is cut short'],
    ['a name without a value', '0001 61', 'a string is missing'],
    ['a string that is no Huffman code', '0001 61 81 00', 'a string is no Huffman code'],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => decode(decoder(), hex(bytes))).to.throw(HpackError, message);
    });
  }

  it('keeps at most 200 bytes of fields and 32 a field, and its table in step with those it drops', () => {
    const one = decoder(4096, 200);
    const long = `4001 61 7f${'2d'}${'62'.repeat(172)}`;
    // 172 bytes of value, 1 of name and 32: more than 200.
    expect(decode(one, hex(long))).to.deep.equal([]);
    expect(one.listBytes).to.equal(205);
    expect(decode(one, hex(`4001 63 01 64`))).to.deep.equal(['c', 'd']);
    expect(decode(one, hex('be'))).to.deep.equal(['c', 'd']);
    decode(one, hex('bf'));
    expect(one.listBytes).to.equal(205);
  });

  it('keeps no more than its bound of a bomb: 16,000 references to an entry of 4 kB', () => {
    const one = decoder(4096, 65_536);
    const value = Buffer.alloc(4000, 0x61);
    decode(one, Buffer.concat([hex('4001 61 7f a11e'), value]));
    const fields = decode(one, Buffer.alloc(16_000, 0xbe));
    expect(fields).to.have.length(32);
    expect(one.listBytes).to.equal(16_000 * 4033);
  });

  it('evicts the oldest entries first, and empties the table for an entry that does not fit', () => {
    const one = decoder(68);
    decode(one, hex('4001 61 01 62 4001 63 01 64'));
    expect(decode(one, hex('be bf'))).to.deep.equal(['c', 'd', 'a', 'b']);
    decode(one, hex('4001 65 01 66'));
    expect(decode(one, hex('be bf'))).to.deep.equal(['e', 'f', 'c', 'd']);
    decode(one, hex(`4001 67 25 ${'68'.repeat(37)}`));
    expect(one.table.length).to.equal(0);
  });

  it('decodes a path once for the same bytes, and another path of the same length as another', () => {
    const path = (name: string) => {
      const whole = encodeBlock([':path', `/package.Service/${name}`]);
      return decode(decoder(), whole)[1];
    };
    expect([path('MethodA'), path('MethodA'), path('MethodB'), path('MethodA')]).to.deep.equal([
      '/package.Service/MethodA',
      '/package.Service/MethodA',
      '/package.Service/MethodB',
      '/package.Service/MethodA',
    ]);
  });
});
