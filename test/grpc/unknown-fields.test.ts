import { expect } from 'chai';
import { REQUEST_BOUNDS, RequestError } from '../../src/core/request.ts';
import { DecodeError } from '../../src/grpc/reader.ts';
import { decodeRequest } from '../../src/grpc/rls.ts';
import { bytes, group, number, varint } from './wire.ts';

describe('fields that decodeRequest does not know', () => {
  it('skips every wire type, at every level', () => {
    const unknown = Buffer.concat([
      number(99, 1n << 63n),
      bytes(98, 'anything'),
      Buffer.concat([varint(97 * 8 + 1), Buffer.alloc(8)]),
      Buffer.concat([varint(96 * 8 + 5), Buffer.alloc(4)]),
      group(95, number(1, 1), group(2, bytes(3, 'x')), group(2)),
    ]);
    const message = Buffer.concat([
      unknown,
      bytes(1, 'd'),
      bytes(
        2,
        unknown,
        bytes(1, unknown, bytes(1, 'k'), unknown, bytes(2, 'v'), unknown),
        bytes(2, unknown, number(1, 3), unknown, number(2, 2)),
        bytes(3, unknown, number(1, 4)),
        unknown,
      ),
      unknown,
    ]);
    expect(decodeRequest(message)).to.deep.equal({
      domain: 'd',
      hits: 0,
      descriptors: [
        { entries: [{ key: 'k', value: 'v' }], limit: { requestsPerUnit: 3, unit: 2 }, hits: 4, refund: false },
      ],
    });
  });

  it('skips a known field number with another wire type', () => {
    expect(decodeRequest(Buffer.concat([number(1, 5), bytes(3, 'x')]))).to.deep.equal(decodeRequest(new Uint8Array()));
  });

  it(`skips groups nested ${REQUEST_BOUNDS.maxNesting} deep and refuses one more`, () => {
    const nested = (depth: number): Buffer => {
      let inner: Buffer = Buffer.alloc(0);
      for (let i = 0; i < depth; i++) inner = group(9, inner);
      return inner;
    };
    expect(decodeRequest(nested(REQUEST_BOUNDS.maxNesting)).domain).to.equal('');
    expect(() => decodeRequest(nested(REQUEST_BOUNDS.maxNesting + 1))).to.throw(
      RequestError,
      'nested too deep, the limit is 100',
    );
  });

  it('refuses a group that never ends, ends as another, or was not begun', () => {
    expect(() => decodeRequest(varint(9 * 8 + 3))).to.throw(DecodeError, 'cut short');
    expect(() => decodeRequest(Buffer.concat([varint(9 * 8 + 3), varint(8 * 8 + 4)]))).to.throw(DecodeError, 'begun');
    expect(() => decodeRequest(varint(9 * 8 + 4))).to.throw(DecodeError, 'not begun');
  });

  it('refuses wire types 6 and 7, field 0, and field numbers above 2^29-1', () => {
    expect(() => decodeRequest(varint(9 * 8 + 6))).to.throw(DecodeError, 'wire type');
    expect(() => decodeRequest(varint(9 * 8 + 7))).to.throw(DecodeError, 'wire type');
    expect(() => decodeRequest(number(0, 1))).to.throw(DecodeError, 'field number');
    expect(() => decodeRequest(number(2 ** 29, 1))).to.throw(DecodeError, 'field number');
    expect(decodeRequest(number(2 ** 29 - 1, 1)).domain).to.equal('');
  });

  it('refuses a length of 2^32 and one that reaches past its own message', () => {
    const huge = Buffer.concat([varint(10), varint(1n << 32n)]);
    expect(() => decodeRequest(huge)).to.throw(DecodeError, 'cut short');
    const entryPastDescriptor = Buffer.concat([bytes(2, Buffer.from([0x0a, 0x02])), bytes(1, 'd')]);
    expect(() => decodeRequest(entryPastDescriptor)).to.throw(DecodeError, 'cut short');
  });
});
