import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { skip } from '../support/skip.ts';
import { sectionsOf, TABLES, withTables } from './tables.ts';
import { ROOT, read } from './tree.ts';

describe('tables of the README', () => {
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

  it('finds them fresh: `make tables` writes them anew', function () {
    if (!existsSync(join(ROOT, 'README.md'))) skip(this, 'there is no README.md yet');
    const readme = read('README.md');
    expect(sectionsOf(readme)).to.have.members(Object.keys(TABLES));
    expect(withTables(readme) === readme, 'README.md is stale').to.equal(true);
  });
});
