import { isUtf8 } from 'node:buffer';
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeText } from '../../src/grpc/text.ts';

const decode = (...bytes: number[]) => decodeText(Buffer.from(bytes), 0, bytes.length);

/** The inverse, by the rule of PEP 383 itself. */
function encode(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

/** The rule byte by byte: a character where one starts, else the escape. */
function decodeSlowly(bytes: Buffer): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = [1, 2, 3, 4].find((size) => i + size <= bytes.length && isUtf8(bytes.subarray(i, i + size))) ?? 0;
    text += length === 0 ? String.fromCharCode(0xdc00 + bytes[i]!) : bytes.toString('utf8', i, i + length);
    i += length || 1;
  }
  return text;
}

function countingToString(decoded: () => string): { readonly text: string; readonly calls: number } {
  const original = Buffer.prototype.toString;
  let calls = 0;
  Buffer.prototype.toString = function counted(...args: Parameters<typeof original>) {
    calls++;
    return original.apply(this, args);
  };
  try {
    const text = decoded();
    return { text, calls };
  } finally {
    Buffer.prototype.toString = original;
  }
}

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.array(fc.constantFrom(0x61, 0x80, 0xbf, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0xef, 0xbd)),
);

describe('decodeText', () => {
  it('reads valid UTF-8 as everybody does, U+FFFD and the byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const bytes = Buffer.from(text);
        expect(decodeText(bytes, 0, bytes.length)).to.equal(text);
      }),
    );
    for (const text of ['\uFFFD', '\uFEFFx', '\0', '', 'é', '€', '😀', 'a'.repeat(33)]) {
      const bytes = Buffer.from(`zz${text}zz`);
      expect(decodeText(bytes, 2, bytes.length - 2)).to.equal(text);
    }
  });

  it('gives the bytes back, so that two byte strings never become one text', () => {
    let invalid = 0;
    fc.assert(
      fc.property(anyBytes, (array) => {
        const bytes = Buffer.from(array);
        if (!isUtf8(bytes)) invalid++;
        expect(encode(decodeText(bytes, 0, bytes.length))).to.deep.equal(bytes);
      }),
      { numRuns: 5000 },
    );
    expect(invalid).to.be.greaterThan(1000);
  });

  it('makes two strings, not one for each byte, of 200,000 bytes of which some or all are invalid', () => {
    const patterns = [
      [0xff],
      [0x61, 0xff],
      [0xc3, 0xa9, 0x80],
      [0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f],
      [0xe2, 0x82, 0xac],
    ];
    for (const pattern of patterns) {
      const large = Buffer.concat([Buffer.alloc(200_000, Buffer.from(pattern)), Buffer.of(0xff)]);
      const { text, calls } = countingToString(() => decodeText(large, 0, large.length));
      expect(text === decodeSlowly(large), pattern.join()).to.equal(true);
      expect(calls).to.be.within(1, 2);
    }
  });

  it('makes a byte that is not UTF-8 the lone surrogate U+DC00+byte', () => {
    expect(decode(0x61, 0xff, 0xfe, 0x62)).to.equal('a\uDCFF\uDCFEb');
    expect(decode(0xe2, 0x82)).to.equal('\uDCE2\uDC82');
    expect(decode(0xc0, 0xaf)).to.equal('\uDCC0\uDCAF');
    expect(decode(0xed, 0xb3, 0xbf)).to.equal('\uDCED\uDCB3\uDCBF');
    expect(decode(0xf4, 0x90, 0x80, 0x80)).to.equal('\uDCF4\uDC90\uDC80\uDC80');
  });

  it('keeps a sent U+FFFD apart from an invalid byte beside it', () => {
    expect(decode(0xef, 0xbf, 0xbd, 0xff)).to.equal('\uFFFD\uDCFF');
  });

  it('reads 20,000 different short texts right though it remembers only some', () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) {
        const bytes = Buffer.from(`value-${i}`);
        expect(decodeText(bytes, 0, bytes.length)).to.equal(`value-${i}`);
      }
    }
  });
});
