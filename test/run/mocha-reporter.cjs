const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

/** The spec reporter, and the counts in the file that WEIR_COUNTS names: no parsing of what is meant for people. */
module.exports = class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on('pending', (test) => skipped.push({ title: test.fullTitle(), because: reasonOf(test) }));
    runner.once('end', () => {
      const { passes, failures } = this.stats;
      writeFileSync(process.env.WEIR_COUNTS, JSON.stringify({ passed: passes, failed: failures, skipped }));
    });
  }
};

/** What test/support/skip.ts left on the test, its hook or a suite around it. */
function reasonOf(test) {
  for (let at = test; at; at = at.parent) if (at.skippedBecause) return at.skippedBecause;
  return '';
}
