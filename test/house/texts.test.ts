import { expect } from 'chai';
import { files, linesWith, read } from './tree.ts';

const TEXTS = files().filter((path) => !/\.(png|jpg|ico|gz|tgz|woff2?)$/.test(path));
const here = (path: string): boolean => path.startsWith('test/house/');

describe('texts', () => {
  it('names no path of one machine', () => {
    const machine = /(^|[^\w.-])\/(work|root|Users|home\/\w+)\//;
    const found = TEXTS.filter((path) => !here(path)).flatMap((path) => linesWith(path, read(path), machine));
    expect(found).to.deep.equal([]);
  });

  it('names no package registry or proxy', () => {
    const registry =
      /registry\.(npmjs|yarnpkg)|npm\.pkg\.github|proxy\.golang|files\.pythonhosted|artifactory|nexus\./i;
    const found = TEXTS.filter((path) => !here(path)).flatMap((path) => linesWith(path, read(path), registry));
    expect(found).to.deep.equal([]);
  });

  it('keeps addresses out of package-lock.json', () => {
    expect(linesWith('package-lock.json', read('package-lock.json'), /"resolved"/)).to.deep.equal([]);
  });

  it('ends every source file with one line break', () => {
    const sources = TEXTS.filter((path) => /\.(ts|lua|proto|md|ya?ml|sh)$/.test(path));
    expect(sources.filter((path) => !/[^\n]\n$/.test(read(path)))).to.deep.equal([]);
  });

  // A sign to look again, not a law: it is told and does not fail.
  after(() => {
    for (const path of files(/^(src|test)\/.*\.ts$/)) {
      const lines = read(path).split('\n').length - 1;
      if (lines > 300) console.log(`      a sign to look again: ${path} has ${lines} lines`);
    }
  });
});
