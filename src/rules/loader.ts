import type { Observer, Part, Problem, RulesDocument } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type Compilation, compilation } from './compilation.ts';
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
  /** See `CompileOptions`. */
  readonly canHash?: boolean;
  readonly observer: Pick<Observer, 'rulesLoaded'>;
  /** Documents of together more characters are compiled in a thread of their own. */
  readonly maxDirectLength?: number;
  /** What that thread may take; see `CompilationOptions`. */
  readonly heapMb?: number;
}

/** Compiled at once in some 50 ms; what is larger would hold up calls. */
const MAX_DIRECT_LENGTH = 16 * 1024;

export interface RulesLoader extends Part {
  /** The newest valid set; null until there was one. */
  current(): Ruleset | null;
}

/**
 * Turns documents into the live ruleset. A bad set changes nothing but the report. A small set is live when `onDocuments`
 * returns; a large one when its thread is done, unless a newer small one came meanwhile. A newer large one waits for it,
 * so that rules which change faster than they can be read still move.
 */
export function rulesLoader(options: RulesLoaderOptions): RulesLoader {
  const { source, mergeDomains, canHash = true, observer, maxDirectLength = MAX_DIRECT_LENGTH } = options;
  let ruleset: Ruleset | null = null;
  let live: readonly RulesDocument[] | null = null;
  let newest: readonly RulesDocument[] | null = null;
  /** Large documents that were not judged yet. */
  let wanted: readonly RulesDocument[] | null = null;
  let thread: Compilation | null = null;
  let read: Promise<void> = Promise.resolve();

  function load(documents: readonly RulesDocument[]): void {
    if (newest !== null && same(documents, newest)) return;
    newest = documents;
    const back = ruleset !== null && live !== null && same(documents, live);
    if (!back && lengthOf(documents) > maxDirectLength) {
      wanted = documents;
      if (thread === null) readWanted(documents);
      return;
    }
    void dropWanted();
    // Back to what is live after a bad set: the same rules, so no new generation.
    judged(documents, back ? { ok: true, ruleset: ruleset! } : compile(documents, compileOptions()));
  }

  function readWanted(documents: readonly RulesDocument[]): void {
    thread = compilation(documents, compileOptions());
    read = thread.compiled.then((compiled) => {
      thread = null;
      if (wanted === null) return;
      if (compiled !== null) judged(documents, compiled);
      if (compiled === null || !same(wanted, documents)) readWanted(wanted);
      else wanted = null;
    });
  }

  async function dropWanted(): Promise<void> {
    wanted = null;
    await thread?.end();
  }

  function judged(documents: readonly RulesDocument[], loaded: Compiled): void {
    if (loaded.ok) {
      ruleset = loaded.ruleset;
      live = documents;
    }
    observer.rulesLoaded({ ...loaded, files: documents.length });
  }

  function compileOptions() {
    const { heapMb } = options;
    return {
      mergeDomains,
      canHash,
      generation: (ruleset?.generation ?? 0) + 1,
      ...(heapMb === undefined ? {} : { heapMb }),
    };
  }

  return {
    name: 'rules',
    current: () => ruleset,
    async start() {
      source.onDocuments = load;
      source.onUnreadable = (found) => {
        newest = null;
        void dropWanted();
        observer.rulesLoaded({ ok: false, problems: found, files: 0 });
      };
      await source.start();
      await read;
    },
    async stop() {
      await Promise.all([source.stop(), dropWanted()]);
    },
  };
}

function lengthOf(documents: readonly RulesDocument[]): number {
  return documents.reduce((sum, { text }) => sum + text.length, 0);
}

function same(a: readonly RulesDocument[], b: readonly RulesDocument[]): boolean {
  return a.length === b.length && a.every(({ name, text }, i) => name === b[i]!.name && text === b[i]!.text);
}
