import { expect } from 'chai';
import fc from 'fast-check';
import { remoteParent } from '../../../src/telemetry/trace/remote-parent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const ZEROS = '0'.repeat(32);

function parentOf(headers: Readonly<Record<string, string>>) {
  return remoteParent((name) => headers[name] ?? null);
}

const told = (sampled: boolean, state: string | null = null) => ({ traceId: TRACE, spanId: SPAN, sampled, state });

describe('the parent of a call', () => {
  it('is none without headers', () => {
    expect(parentOf({})).to.equal(null);
  });

  for (const [traceparent, expected] of Object.entries({
    [`00-${TRACE}-${SPAN}-01`]: told(true),
    [`00-${TRACE}-${SPAN}-00`]: told(false),
    [`00-${TRACE}-${SPAN}-03`]: told(true),
    [`cc-${TRACE}-${SPAN}-01-what the future adds`]: told(true),
    [`00-${TRACE}-${SPAN}-01-more`]: null,
    [`ff-${TRACE}-${SPAN}-01`]: null,
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`]: null,
    [`00-${ZEROS}-${SPAN}-01`]: null,
    [`00-${TRACE}-${ZEROS.slice(16)}-01`]: null,
    [`00-${TRACE}-${SPAN}`]: null,
    '': null,
  })) {
    it(`is ${expected === null ? 'none' : `${expected.sampled ? '' : 'not '}sampled`} with traceparent: ${traceparent}`, () => {
      expect(parentOf({ traceparent })).to.deep.equal(expected);
    });
  }

  for (const [b3, expected] of Object.entries({
    [`${TRACE}-${SPAN}-1`]: told(true),
    [`${TRACE}-${SPAN}-d`]: told(true),
    [`${TRACE}-${SPAN}-0`]: told(false),
    [`${TRACE}-${SPAN}`]: told(false),
    [`${TRACE.toUpperCase()}-${SPAN.toUpperCase()}-1-05e3ac9a4f6e3b90`]: told(true),
    [`${TRACE.slice(16)}-${SPAN}-1`]: { ...told(true), traceId: `${'0'.repeat(16)}${TRACE.slice(16)}` },
    [`${ZEROS}-${SPAN}-1`]: null,
    [`${TRACE}-${SPAN}-2`]: null,
    '0': null,
    '1': null,
  })) {
    it(`is ${expected === null ? 'none' : `${expected.sampled ? '' : 'not '}sampled`} with b3: ${b3}`, () => {
      expect(parentOf({ b3 })).to.deep.equal(expected);
    });
  }

  it('is told by B3 in several headers, where the debug flag samples too', () => {
    const ids = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN };
    expect(parentOf({ ...ids, 'x-b3-sampled': '1' })).to.deep.equal(told(true));
    expect(parentOf({ ...ids, 'x-b3-sampled': 'true' })).to.deep.equal(told(true));
    expect(parentOf({ ...ids, 'x-b3-sampled': '0' })).to.deep.equal(told(false));
    expect(parentOf({ ...ids, 'x-b3-flags': '1' })).to.deep.equal(told(true));
    expect(parentOf(ids)).to.deep.equal(told(false));
    expect(parentOf({ 'x-b3-traceid': TRACE, 'x-b3-sampled': '1' })).to.equal(null);
    expect(parentOf({ ...ids, 'x-b3-spanid': 'nonsense' })).to.equal(null);
  });

  it('is what W3C says where both are there, and what B3 says where traceparent is broken', () => {
    const b3 = `${ZEROS.slice(1)}1-${SPAN}-1`;
    expect(parentOf({ traceparent: `00-${TRACE}-${SPAN}-01`, b3 })).to.deep.equal(told(true));
    expect(parentOf({ traceparent: 'broken', b3 })?.traceId).to.equal(`${ZEROS.slice(1)}1`);
  });

  it('brings tracestate along, unless it is longer than 4,096 characters', () => {
    const traceparent = `00-${TRACE}-${SPAN}-01`;
    expect(parentOf({ traceparent, tracestate: 'a=1,b=2' })?.state).to.equal('a=1,b=2');
    expect(parentOf({ traceparent, tracestate: `a=${'x'.repeat(4_096)}` })?.state).to.equal(null);
  });

  it('is well formed or none, whatever was sent', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[\da-fA-F-]{0,70}$/));
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('traceparent', 'b3', 'x-b3-traceid', 'x-b3-spanid'), text),
        (headers) => {
          const parent = parentOf(headers);
          if (parent === null) return;
          expect(parent.traceId).to.match(/^(?!0+$)[\da-f]{32}$/);
          expect(parent.spanId).to.match(/^(?!0+$)[\da-f]{16}$/);
        },
      ),
    );
  });
});
