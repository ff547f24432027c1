import type { Observer, Part, Problem, RulesDocument } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type Compilation, compilation } from './compilation.ts';
import { type Compiled, compile } from './compile.ts';

/**
 * Where rules come from. Both callbacks are set before `start`. Files call one of them before `start` resolves; who
 * depends on others may call later. Then whenever the documents may have changed: the same again are passed over.
 */
export interface RulesSource extends Part {
  /** The whole set, as it is now. An empty set is a valid one. Resolves when the set was judged. */
  onDocuments: (documents: readonly RulesDocument[]) => Promise<Judgement | null>;
  /** There is no set to be had. */
  onUnreadable: (problems: readonly Problem[]) => void;
}

/** What became of a set; null when a newer one took its place before it was looked at. */
export type Judgement = { readonly ok: true } | { readonly ok: false; readonly problems: readonly Problem[] };

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

/** Large documents that were not judged yet. */
interface Wanted {
  readonly documents: readonly RulesDocument[];
  readonly tell: (judgement: Judgement | null) => void;
}

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
  let newest: { readonly documents: readonly RulesDocument[]; readonly judgement: Promise<Judgement | null> } | null =
    null;
  let wanted: Wanted | null = null;
  /** The one that the thread is at. */
  let reading: Wanted | null = null;
  let thread: Compilation | null = null;
  let finished: Promise<void> = Promise.resolve();

  function load(documents: readonly RulesDocument[]): Promise<Judgement | null> {
    if (newest !== null && same(documents, newest.documents)) return newest.judgement;
    const judgement = judgementOf(documents);
    newest = { documents, judgement };
    return judgement;
  }

  function judgementOf(documents: readonly RulesDocument[]): Promise<Judgement | null> {
    const back = ruleset !== null && live !== null && same(documents, live);
    if (!back && lengthOf(documents) > maxDirectLength) {
      return new Promise((tell) => {
        if (wanted !== reading) wanted?.tell(null);
        wanted = { documents, tell };
        if (thread === null) read(wanted);
      });
    }
    void dropWanted();
    // Back to what is live after a bad set: the same rules, so no new generation.
    return Promise.resolve(
      judged(documents, back ? { ok: true, ruleset: ruleset! } : compile(documents, compileOptions())),
    );
  }

  function read(next: Wanted): void {
    reading = next;
    thread = compilation(next.documents, compileOptions());
    finished = thread.compiled.then((compiled) => {
      thread = reading = null;
      const judgement = compiled === null || wanted === null ? null : judged(next.documents, compiled);
      next.tell(judgement);
      if (wanted === null) return;
      if (judgement === null || !same(wanted.documents, next.documents)) {
        read(wanted);
      } else {
        wanted.tell(judgement);
        wanted = null;
      }
    });
  }

  async function dropWanted(): Promise<void> {
    wanted?.tell(null);
    wanted = null;
    await thread?.end();
  }

  function judged(documents: readonly RulesDocument[], loaded: Compiled): Judgement {
    if (loaded.ok) {
      ruleset = loaded.ruleset;
      live = documents;
    }
    observer.rulesLoaded({ ...loaded, files: documents.length });
    return loaded;
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
      await finished;
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
