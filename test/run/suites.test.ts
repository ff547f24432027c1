import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { CHECK, SAME_ON_EVERY_NODE, SOAK, TEST } from './suites.ts';

describe('the suites', () => {
  it('leave out and name only files that are there', () => {
    const words = [...TEST, ...CHECK, ...SOAK].flatMap(({ commands }) => commands.flat());
    const paths = words.filter((word) => word.startsWith('test/') && !word.includes('*'));
    expect(paths).to.include.members(Object.values(SAME_ON_EVERY_NODE).flat());
    expect(paths.filter((path) => !existsSync(path))).to.deep.equal([]);
  });
});
