import { expect } from 'chai';
import fc from 'fast-check';
import { JsonError, type JsonNode, parseJson } from '../../src/http/json-text.ts';

/** As JSON.parse would give it, so that both can be compared. */
function plain(node: JsonNode): unknown {
  if (node instanceof Map) {
    return Object.fromEntries(
      [...(node as ReadonlyMap<string, JsonNode>)].map(([name, value]) => [name, plain(value)]),
    );
  }
  if (Array.isArray(node)) return node.map(plain);
  if (typeof node === 'object' && node !== null && 'digits' in node) return Number(node.digits);
  return node;
}

describe('strict JSON', () => {
  it('reads any JSON text as JSON.parse does', function () {
    this.timeout(20_000);
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
        expect(JSON.stringify(plain(parseJson(text)))).to.equal(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('refuses what JSON.parse refuses', function () {
    this.timeout(20_000);
    const nearly = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '0', '-', 'e', '.', '\n', '\u0001', 'x'),
      )
      .map(([text, at, what]) => text.slice(0, at % (text.length + 1)) + what + text.slice(at % (text.length + 1)));
    fc.assert(
      fc.property(nearly, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (!valid) expect(() => parseJson(text)).to.throw(JsonError);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps the digits of numbers', () => {
    expect(parseJson('[18446744073709551615, 1e2, -0.50]')).to.deep.equal([
      { digits: '18446744073709551615' },
      { digits: '1e2' },
      { digits: '-0.50' },
    ]);
  });

  it('keeps __proto__ a member like any other', () => {
    const node = parseJson('{"__proto__":{"x":true}}');
    expect([...(node as ReadonlyMap<string, JsonNode>).keys()]).to.deep.equal(['__proto__']);
    expect(({} as { x?: unknown }).x).to.equal(undefined);
  });

  const refused: Readonly<Record<string, string>> = {
    'a member named twice': '{"a":1,"a":2}',
    'a member named twice, once escaped': '{"a":1,"\\u0061":2}',
    'half of a surrogate pair': '"\\ud800"',
    'the second half alone': '"\\udc80"',
    'text after the value': '{} {}',
    'a byte order mark': '\ufeff{}',
    'a comment': '{/* */}',
    'a trailing comma': '[1,]',
    'single quotes': "{'a':1}",
    'a bare line end in a string': '"a\nb"',
    'a leading zero': '01',
    'a plus sign': '+1',
    nothing: '',
    'only space': ' \n',
    'nesting of 101 levels': '['.repeat(101) + ']'.repeat(101),
    'nesting of 1,000,000 levels': '['.repeat(1_000_000),
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => parseJson(text)).to.throw(JsonError);
    });
  }
});
