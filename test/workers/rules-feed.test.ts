import { deepStrictEqual } from 'node:assert';
import { expect } from 'chai';
import fc from 'fast-check';
import type { LoadReport, Problem } from '../../src/core/ports.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { compile } from '../../src/rules/compile.ts';
import { fedRules } from '../../src/workers/fed-rules.ts';
import type { ToWorker } from '../../src/workers/messages.ts';
import type { PrimaryLink } from '../../src/workers/primary-link.ts';
import { type RulesFeed, type RulesNews, rulesFeed } from '../../src/workers/rules-feed.ts';
import { largeSet } from '../rules/large.ts';
import { randomSet } from '../rules/random-set.ts';

const PROBLEM: Problem = { file: 'f', line: 1, column: 1, message: 'm', hint: '', source: '' };

function rulesetOf(documents: ReturnType<typeof largeSet>, generation = 1): Ruleset {
  const compiled = compile(documents, { mergeDomains: false, generation });
  if (!compiled.ok) throw new Error(compiled.problems[0]!.message);
  return compiled.ruleset;
}

/** A primary and a worker, and between them messages that are delivered one at a time. */
function pair() {
  const way: (() => void)[] = [];
  const reports: LoadReport[] = [];
  let loaded: ReturnType<RulesNews['loaded']> = null;
  let refused: ReturnType<RulesNews['refused']> = null;
  const listeners = new Map<string, (message: ToWorker) => void>();
  const kinds: string[] = [];
  let feed: RulesFeed | null = null;
  const toWorker = (message: ToWorker): void => {
    const copy = structuredClone(message);
    kinds.push(copy.kind);
    way.push(() => listeners.get(copy.kind)?.(copy));
  };
  function wanted(): void {
    feed = rulesFeed({ loaded: () => loaded, refused: () => refused }, toWorker);
    feed.look();
  }
  const link = {
    on: (kind: string, listener: (message: ToWorker) => void) => listeners.set(kind, listener),
    send: ({ kind }: { kind: string }) => way.push(kind === 'placed' ? () => feed?.placed() : wanted),
  } as unknown as PrimaryLink;
  const rules = fedRules(link, { rulesLoaded: (report) => void reports.push(report) });
  return {
    rules,
    reports,
    kinds,
    way,
    load(ruleset: Ruleset) {
      loaded = { ruleset, files: 1 };
      refused = null;
      feed?.look();
    },
    refuse() {
      refused = { problems: [PROBLEM], files: 1 };
      feed?.look();
    },
    /** Delivers so many messages, or all. */
    deliver(count = Number.POSITIVE_INFINITY) {
      for (let i = 0; i < count && way.length > 0; i++) way.shift()!();
    },
  };
}

describe('rules on their way to a worker', () => {
  it('are the same set there: 100 random ones, and the generation of the primary', () => {
    fc.assert(
      fc.property(randomSet, fc.nat(), (documents, generation) => {
        const { rules, load, deliver } = pair();
        const ruleset = rulesetOf(documents, generation);
        void rules.start();
        deliver();
        load(ruleset);
        deliver();
        deepStrictEqual(rules.current(), ruleset);
      }),
      { numRuns: 100 },
    );
  });

  it('let a start end at once when there are none, and wait for those that are there', async () => {
    const none = pair();
    const started = none.rules.start();
    none.deliver();
    await started;
    expect(none.rules.current()).to.equal(null);

    const some = pair();
    some.load(rulesetOf(largeSet(2_500)));
    const waited = some.rules.start();
    some.deliver();
    await waited;
    expect(some.rules.current()!.rules).to.have.length(2_500);
  });

  it('go through to their end when newer ones come, of which only the newest follows', () => {
    const { rules, reports, load, deliver } = pair();
    void rules.start();
    deliver();
    load(rulesetOf(largeSet(3_500), 1));
    deliver(3);
    for (const generation of [2, 3, 4]) load(rulesetOf(largeSet(10), generation));
    deliver();
    expect(reports.map((report) => report.ok && report.ruleset.generation)).to.deep.equal([1, 4]);
    expect(rules.current()!.rules).to.have.length(10);
  });

  it('are sent a slice at a time, each when the one before was placed', () => {
    const { rules, load, deliver, way } = pair();
    void rules.start();
    deliver();
    load(rulesetOf(largeSet(3_500)));
    for (let i = 0; i < 8; i++) {
      expect(way).to.have.length(1);
      deliver(1);
    }
  });

  it('tell of a refusal after the set that was on its way, and of the old set that is live again without a slice', () => {
    const { rules, reports, kinds, load, refuse, deliver } = pair();
    const ruleset = rulesetOf(largeSet(1_500));
    void rules.start();
    deliver();
    load(ruleset);
    deliver(1);
    refuse();
    deliver();
    load(ruleset);
    deliver();
    expect(reports.map(({ ok }) => ok)).to.deep.equal([true, false, true]);
    expect(kinds.filter((kind) => kind === 'slice')).to.have.length(2);
    expect(rules.current()!.rules).to.have.length(1_500);
  });
});
