import { expect } from 'chai';
import {
  goBoolean,
  goDurationMs,
  hostAndPort,
  integerBetween,
  numberBetween,
  oneOf,
} from '../../src/settings/go-values.ts';

type Row = readonly [text: string, value: unknown];

function reads(parse: (text: string) => unknown, rows: readonly Row[]): void {
  for (const [text, value] of rows) {
    it(`reads ${JSON.stringify(text)} as ${JSON.stringify(value)}`, () => expect(parse(text)).to.deep.equal(value));
  }
}

function refuses(parse: (text: string) => unknown, message: string, texts: readonly string[]): void {
  for (const text of texts) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      expect(() => parse(text))
        .to.throw(Error)
        .with.property('message', message));
  }
}

describe('a boolean of Go', () => {
  reads(goBoolean, [...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text): Row => [text, true])]);
  reads(goBoolean, [...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text): Row => [text, false])]);
  refuses(goBoolean, 'expected true or false', ['', 'yes', 'no', 'on', 'tRUE', ' true', '2', '-1']);
});

describe('a duration of Go, in milliseconds', () => {
  reads(goDurationMs, [
    ['0', 0],
    ['+0', 0],
    ['0s', 0],
    ['10s', 10_000],
    ['+10s', 10_000],
    ['100ms', 100],
    ['150us', 0.15],
    ['150µs', 0.15],
    ['150μs', 0.15],
    ['1500000ns', 1.5],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['1h1m1s1ms', 3_661_001],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1.s', 1_000],
    ['30m1h', 5_400_000],
    ['250h', 900_000_000],
  ]);
  // A timer set for more than 2^31-1 ms would ring at once.
  refuses(goDurationMs, 'expected a duration such as 150us, 10s or 1h30m, at most 250h', [
    ...[
      '',
      '10',
      '1.5',
      's',
      '.s',
      '10 s',
      '10S',
      '1d',
      '-1s',
      '-0',
      '1h-1m',
      '1s,',
      ' 1s',
      '1e3s',
      '++1s',
      '+',
      'Infinitys',
    ],
    ...['251h', '250h1ns', `${'9'.repeat(400)}h`],
  ]);
});

describe('a whole number', () => {
  const parse = integerBetween(0, 65_535);
  reads(parse, [
    ['0', 0],
    ['65535', 65_535],
    ['+1', 1],
    ['007', 7],
  ]);
  refuses(parse, 'expected a whole number from 0 to 65535', [
    '',
    ' ',
    '65536',
    '-1',
    '1.0',
    '1e3',
    '0x10',
    '1_000',
    'NaN',
  ]);
});

describe('a number', () => {
  const parse = numberBetween(0, 1);
  reads(parse, [
    ['0', 0],
    ['0.8', 0.8],
    ['.5', 0.5],
    ['1e-1', 0.1],
    ['1', 1],
  ]);
  refuses(parse, 'expected a number from 0 to 1', ['', ' ', '1.1', '-0.1', 'x', 'NaN', 'Infinity']);
});

describe('one of some words', () => {
  const parse = oneOf('tcp', 'unix');
  reads(parse, [
    ['tcp', 'tcp'],
    ['UNIX', 'unix'],
  ]);
  refuses(parse, 'expected one of tcp, unix', ['', 'udp', 'tcp ']);
});

describe('a host and a port', () => {
  reads(hostAndPort, [
    [':9090', { host: '', port: 9090 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['metrics.local:65535', { host: 'metrics.local', port: 65_535 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['[::]:80', { host: '::', port: 80 }],
  ]);
  refuses(hostAndPort, 'expected host:port or :port', ['', '9090', 'host', 'host:', ':65536', '::1:80', ':x', 'a:1:2']);
});
