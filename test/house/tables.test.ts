import { expect } from 'chai';
import { PAGES, sectionsOf, TABLES, withTables } from './tables.ts';
import { read } from './tree.ts';

describe('tables of the pages', () => {
  for (const [name, table] of Object.entries(TABLES)) {
    it(`has a heading, a rule and rows in ${name}`, () => {
      const lines = table().trim().split('\n');
      expect(lines.length).to.be.greaterThan(3);
      const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
      const bars = lines.filter((line) => line.startsWith('|'));
      for (const line of bars) expect(cells(line), line).to.equal(cells(bars[0]!));
    });
  }

  it('replaces what stands in a section and nothing else', () => {
    const before = 'a\n<!-- table:settings -->\nold\n<!-- /table -->\nb\n';
    expect(withTables(before)).to.equal(
      `a\n<!-- table:settings -->\n\n${TABLES.settings!().trim()}\n\n<!-- /table -->\nb\n`,
    );
    expect(withTables(withTables(before))).to.equal(withTables(before));
  });

  it('refuses a section it has no table for', () => {
    expect(() => withTables('<!-- table:weather -->\n<!-- /table -->')).to.throw('no such table');
  });

  it('has each of them in one place', () => {
    expect(PAGES.flatMap((page) => sectionsOf(read(page)))).to.have.members(Object.keys(TABLES));
  });

  for (const page of PAGES.filter((path) => sectionsOf(read(path)).length > 0)) {
    it(`finds them fresh in ${page}: \`make tables\` writes them anew`, () => {
      expect(withTables(read(page)) === read(page), `${page} is stale`).to.equal(true);
    });
  }
});
