import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { files, ROOT } from '../house/tree.ts';
import { anchorsOf, linksOf, PAGES } from './page.ts';

const MARKDOWN = files(/\.md$/);

describe('links between pages', () => {
  for (const page of MARKDOWN) {
    it(`lead somewhere from ${page}`, () => {
      const lost = linksOf(page).filter(
        ({ path, anchor }) =>
          !existsSync(join(ROOT, path)) || (anchor !== '' && path.endsWith('.md') && !anchorsOf(path).includes(anchor)),
      );
      expect(lost).to.deep.equal([]);
    });
  }

  it('lead to every page of docs from docs/README.md, and there from the front page', () => {
    const linked = linksOf('docs/README.md').map(({ path }) => path);
    expect(linked).to.include.members(PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md'));
    expect(linksOf('README.md').map(({ path }) => path)).to.include('docs/README.md');
  });
});
