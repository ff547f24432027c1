import { basename } from 'node:path';
import { expect } from 'chai';
import { files } from './tree.ts';

const CODE = files(/^(src|test)\//);

describe('names', () => {
  it('has no file that could hold anything', () => {
    const vague = /^(utils?|common|helpers?|types?|constants?|misc|shared|lib|index)(\.test)?\.(ts|js|cjs|mjs)$/;
    expect(CODE.filter((path) => vague.test(basename(path)))).to.deep.equal([]);
  });

  it('has no folder that could hold anything', () => {
    const vague = /(^|\/)(utils?|common|helpers?|types?|constants?|misc|shared|lib)\//;
    expect(CODE.filter((path) => vague.test(path))).to.deep.equal([]);
  });

  it('writes file names in kebab-case, but for those that Java and Cargo insist on', () => {
    const kebab = /^([a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)+|[A-Z]+\.md|[A-Z]\w*\.java|Cargo\.(toml|lock))$/;
    expect(CODE.map((path) => basename(path)).filter((name) => !kebab.test(name))).to.deep.equal([]);
  });

  it('has a Lua twin for every algorithm, and the other way round', () => {
    const stems = (pattern: RegExp) =>
      files(pattern)
        .map((path) => basename(path).replace(/\.\w+$/, ''))
        // What calls the algorithms is no algorithm.
        .filter((stem) => stem !== 'algorithm' && stem !== 'batch');
    const inTypeScript = stems(/^src\/core\/algorithm\/.*\.ts$/);
    expect(inTypeScript).to.not.be.empty;
    expect(stems(/^src\/store\/redis\/lua\/.*\.lua$/)).to.deep.equal(inTypeScript);
  });
});
