import { expect } from 'chai';
import { codeOnly, files, importsOf, linesWith, read } from './tree.ts';

const CORE = files(/^src\/core\/.*\.ts$/);

// The compiler of src/core knows no Node and no DOM; these are in the language itself, or pass it unseen.
const IMPURE =
  /\bDate\b|\bMath\s*\.\s*random\b|\bMath\s*\[|\bperformance\b|\bprocess\b|\bglobalThis\b|\bcrypto\b|\bIntl\b|\bconsole\b|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\beval\b/;

/** Intl answers only what it is asked, and the calendar asks with a time and a zone: that is arithmetic on a table. */
const MAY_ASK_INTL = 'src/core/calendar.ts';

describe('core is pure', () => {
  it('is there to be looked at', () => {
    expect(CORE).to.include('src/core/match.ts');
  });

  it('reads no clock, no randomness and nothing of the process', () => {
    const code = (path: string) =>
      path === MAY_ASK_INTL ? codeOnly(read(path)).replaceAll('Intl', '') : codeOnly(read(path));
    expect(CORE.flatMap((path) => linesWith(path, code(path), IMPURE))).to.deep.equal([]);
  });

  it('imports nothing by a bare name', () => {
    const bare = CORE.flatMap((path) =>
      importsOf(read(path))
        .filter(({ specifier }) => !specifier.startsWith('.'))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
    expect(bare).to.deep.equal([]);
  });

  it('waits for nothing', () => {
    expect(CORE.flatMap((path) => linesWith(path, codeOnly(read(path)), /\b(async|await)\b/))).to.deep.equal([]);
  });

  for (const impure of ['const t = Date.now();', 'Math.random()', 'Math . random', 'new Date(0)', 'process.env']) {
    it(`would see ${impure}`, () => {
      expect(linesWith('x.ts', codeOnly(impure), IMPURE)).to.have.length(1);
    });
  }

  for (const pure of ["const unit = 'Date';", '// the Date of a caller', '/* process */ const a = 1;']) {
    it(`lets ${pure} pass`, () => {
      expect(linesWith('x.ts', codeOnly(pure), IMPURE)).to.deep.equal([]);
    });
  }
});
