import { expect } from 'chai';
import { isKnownKey, nearest, SCHEMA, schemaMarkdown } from '../../src/rules/schema.ts';

describe('schema', () => {
  it('knows the 16 keys of the format, and its own 9', () => {
    const keys =
      'descriptors detailed_metric domain key metadata name quota_mode rate_limit replaces requests_per_unit shadow_mode share_threshold unit unlimited value value_to_metric';
    const own = SCHEMA.filter((known) => known.own).map(({ key }) => key);
    expect(own).to.have.length(9);
    expect([...new Set(SCHEMA.map(({ key }) => key))].sort()).to.deep.equal([...keys.split(' '), ...own].sort());
    expect([...keys.split(' '), ...own].every(isKnownKey)).to.equal(true);
  });

  it('has a line of the table for every key, under a head of 2 lines', () => {
    expect(schemaMarkdown()).to.have.length(SCHEMA.length + 2);
    expect(schemaMarkdown().every((line) => line.split('|').length === 6)).to.equal(true);
  });

  it('finds the nearest word by inserted, dropped, changed and swapped letters', () => {
    const words = ['unit', 'unlimited', 'value'];
    expect(['uint', 'unitt', 'unt', 'ulimited', 'vlaue', 'VALUE'].map((word) => nearest(word, words))).to.deep.equal([
      'unit',
      'unit',
      'unit',
      'unlimited',
      'value',
      'value',
    ]);
    expect(['', 'x', 'other', 'v'.repeat(1_000_000)].map((word) => nearest(word, words))).to.deep.equal([
      '',
      '',
      '',
      '',
    ]);
  });
});
