import { expect } from 'chai';
import { codeOnly, files, linesWith, read } from './tree.ts';

const TESTS = files(/^test\/.*\.ts$/);

/** support polls, run ends what hangs, bench measures, and the recordings wait for real windows. */
const MAY_WAIT = /^test\/(support|run|bench|oracle)\//;

describe('tests', () => {
  it('has no .only', () => {
    const only = /\b(describe|context|suite|it|test|specify)\s*\.\s*only\b/;
    expect(TESTS.flatMap((path) => linesWith(path, codeOnly(read(path)), only))).to.deep.equal([]);
  });

  it('sleeps nowhere: it awaits an event, or polls with a deadline through test/support', () => {
    const wait = /\bsetTimeout\b|\btimers\/promises\b|\b(sleep|delay)\s*\(|\bAtomics\s*\.\s*wait\b/;
    const waiting = TESTS.filter((path) => !MAY_WAIT.test(path)).flatMap((path) =>
      linesWith(path, codeOnly(read(path)), wait),
    );
    expect(waiting).to.deep.equal([]);
  });
});
