import type { LoadReport, Observer, Part, Problem, RulesDocument } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type Compiled, compile } from './compile.ts';

/**
 * Where rules come from. Both callbacks are set before `start`; one of them is called before `start` resolves, and then
 * whenever the documents may have changed. The same documents again are passed over by the loader.
 */
export interface RulesSource extends Part {
  /** The whole set, as it is now. An empty set is a valid one. */
  onDocuments: (documents: readonly RulesDocument[]) => void;
  /** There is no set to be had. */
  onUnreadable: (problems: readonly Problem[]) => void;
}

export interface RulesLoaderOptions {
  readonly source: RulesSource;
  readonly mergeDomains: boolean;
  readonly observer: Pick<Observer, 'rulesLoaded'>;
}

export interface RulesLoader extends Part {
  /** The newest valid set; null until there was one. */
  current(): Ruleset | null;
  /** What is wrong with the newest set; empty when it is the one that is live. */
  problems(): readonly Problem[];
  counts(): { readonly good: number; readonly bad: number };
}

/** Turns documents into the live ruleset. A bad set changes nothing but the report. */
export function rulesLoader({ source, mergeDomains, observer }: RulesLoaderOptions): RulesLoader {
  let ruleset: Ruleset | null = null;
  let live: readonly RulesDocument[] | null = null;
  let newest: readonly RulesDocument[] | null = null;
  let problems: readonly Problem[] = [];
  let good = 0;
  let bad = 0;

  function report(loaded: LoadReport): void {
    if (loaded.ok) {
      good++;
      problems = [];
    } else {
      bad++;
      problems = loaded.problems;
    }
    observer.rulesLoaded(loaded);
  }

  function load(documents: readonly RulesDocument[]): void {
    if (newest !== null && same(documents, newest)) return;
    newest = documents;
    const files = documents.length;
    const back = ruleset !== null && live !== null && same(documents, live);
    // Back to what is live after a bad set: the same rules, so no new generation.
    const loaded = back ? { ok: true as const, ruleset: ruleset! } : compileNext(documents);
    if (loaded.ok) {
      ruleset = loaded.ruleset;
      live = documents;
    }
    report({ ...loaded, files });
  }

  function compileNext(documents: readonly RulesDocument[]): Compiled {
    return compile(documents, { mergeDomains, generation: (ruleset?.generation ?? 0) + 1 });
  }

  return {
    name: 'rules',
    current: () => ruleset,
    problems: () => problems,
    counts: () => ({ good, bad }),
    async start() {
      source.onDocuments = load;
      source.onUnreadable = (found) => {
        newest = null;
        report({ ok: false, problems: found, files: 0 });
      };
      await source.start();
    },
    stop: () => source.stop(),
  };
}

function same(a: readonly RulesDocument[], b: readonly RulesDocument[]): boolean {
  return a.length === b.length && a.every(({ name, text }, i) => name === b[i]!.name && text === b[i]!.text);
}
