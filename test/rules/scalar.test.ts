import { expect } from 'chai';
import { resolve } from '../../src/rules/yaml-scalar.ts';

const STANDARD = 'tag:yaml.org,2002:';

function plain(text: string): unknown {
  const scalar = resolve({ kind: 'scalar', at: 0, text, plain: true, tag: '' });
  return scalar.type === 'null' ? null : [scalar.type, scalar.value];
}

function tagged(tag: string, text: string): unknown {
  const scalar = resolve({ kind: 'scalar', at: 0, text, plain: false, tag: STANDARD + tag });
  return scalar.type === 'null' ? null : [scalar.type, scalar.value];
}

describe('plain scalars', () => {
  for (const text of ['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']) {
    it(`reads ${text} as true`, () => expect(plain(text)).to.deep.equal(['bool', true]));
  }
  for (const text of ['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']) {
    it(`reads ${text} as false`, () => expect(plain(text)).to.deep.equal(['bool', false]));
  }
  for (const text of ['', '~', 'null', 'Null', 'NULL']) {
    it(`reads ${JSON.stringify(text)} as nothing`, () => expect(plain(text)).to.equal(null));
  }

  const integers: Readonly<Record<string, bigint>> = {
    '0x10': 16n,
    '012': 10n,
    '0o12': 10n,
    '0b101': 5n,
    '1_000': 1000n,
    '-7': -7n,
    '+7': 7n,
    '9223372036854775807': 2n ** 63n - 1n,
    '-9223372036854775808': -(2n ** 63n),
  };
  for (const [text, value] of Object.entries(integers)) {
    it(`reads ${text} as the integer ${value}`, () => expect(plain(text)).to.deep.equal(['int', value]));
  }

  it('tells an integer of 64 bits from one of 63', () => {
    expect(plain('9223372036854775808')).to.deep.equal(['uint', 2n ** 63n]);
    expect(plain('18446744073709551615')).to.deep.equal(['uint', 2n ** 64n - 1n]);
    expect(plain('18446744073709551616')).to.deep.equal(['float', 2 ** 64]);
  });

  const floats: Readonly<Record<string, number>> = {
    '1.5': 1.5,
    '1e3': 1000,
    '.5': 0.5,
    '1.': 1,
    '08': 8,
    '-.inf': -Infinity,
  };
  for (const [text, value] of Object.entries(floats)) {
    it(`reads ${text} as the float ${value}`, () => expect(plain(text)).to.deep.equal(['float', value]));
  }

  for (const text of [
    '12:30',
    '2024-05-01',
    '1.2.3',
    '0x',
    '0b2',
    'yEs',
    '_1',
    '1e999',
    '-',
    '+',
    '.',
    'Infinity',
    '<<',
  ]) {
    it(`leaves ${text} a text`, () => expect(plain(text)).to.deep.equal(['text', text]));
  }
});

describe('tagged scalars', () => {
  it('makes a text of !!str 5 and a float of !!float 5', () => {
    expect(tagged('str', '5')).to.deep.equal(['text', '5']);
    expect(tagged('float', '5')).to.deep.equal(['float', 5]);
  });

  it('reads !!binary as UTF-8 and refuses what is no base64', () => {
    expect(tagged('binary', 'aMOp')).to.deep.equal(['text', 'hé']);
    expect(() => tagged('binary', '?')).to.throw('no base64');
  });

  it('refuses !!int five', () => {
    expect(() => tagged('int', 'five')).to.throw('"five" is no !!int');
  });
});
