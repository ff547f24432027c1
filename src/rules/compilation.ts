import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { Problem, RulesDocument } from '../core/ports.ts';
import type { Compiled, CompileOptions } from './compile.ts';
import { Problems } from './problem.ts';
import { assembly, type Slice } from './ruleset-slices.ts';

/** What the thread is given. */
export interface CompileTask {
  readonly documents: readonly RulesDocument[];
  readonly options: CompileOptions;
}

/** What the thread tells; null after the last slice. */
export type Told =
  | { readonly ok: true; readonly slice: Slice | null }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface CompilationOptions extends CompileOptions {
  /** What the thread may take for its objects; when it needs more, the rules are refused. */
  readonly heapMb?: number;
}

/** A `compile` that goes on in a thread of its own. */
export interface Compilation {
  /** null when it was ended before. Never rejects: a thread that fails is a problem of the rules. */
  readonly compiled: Promise<Compiled | null>;
  end(): Promise<void>;
}

/** As much as Node allows itself here, which follows the memory of the machine; 10 MB of rules need close to 1 GB. */
const HEAP_MB = Math.round(getHeapStatistics().heap_size_limit / 1_048_576);
/** Room for the young: nearly all that the reading makes lives until its end, and copying it about costs the most. */
const YOUNG_MB = 96;

const FROM_SOURCE = import.meta.url.endsWith('.ts');
const ENTRY = new URL(`./compile-worker${FROM_SOURCE ? '.ts' : '.js'}`, import.meta.url);

/**
 * The result comes slice by slice, each asked for when the one before was placed, so that no turn of the event loop has
 * more than one to do.
 */
export function compilation(documents: readonly RulesDocument[], options: CompilationOptions): Compilation {
  const { heapMb = HEAP_MB, ...compileOptions } = options;
  const task: CompileTask = { documents, options: compileOptions };
  const resourceLimits = { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_MB };
  const worker = thread({ name: 'rules', workerData: task, resourceLimits });
  const rules = assembly();
  let settle: (compiled: Compiled | null) => void;
  const settled = new Promise<Compiled | null>((resolve) => {
    settle = resolve;
  });
  let ended = false;
  let dropped = false;

  worker.on('message', (told: Told) => {
    if (ended) return;
    if (!told.ok) finish(told);
    else if (told.slice === null) finish({ ok: true, ruleset: rules.ruleset(options.generation) });
    else {
      rules.add(told.slice);
      worker.postMessage('next');
    }
  });
  worker.on('error', (error: NodeJS.ErrnoException) => finish({ ok: false, problems: [failure(documents, error)] }));
  worker.on('exit', (code) => finish({ ok: false, problems: [failure(documents, new Error(`exit code ${code}`))] }));

  function finish(compiled: Compiled | null): void {
    settle(compiled);
    ended = true;
  }

  return {
    // The memory of the thread is given back before anybody goes on.
    compiled: settled.then(async (compiled) => {
      await worker.terminate();
      return dropped ? null : compiled;
    }),
    async end() {
      dropped = true;
      finish(null);
      await worker.terminate();
    },
  };
}

/** What makes Node read TypeScript does not reach into threads by itself, so from source the thread asks for it first. */
function thread(options: WorkerOptions): Worker {
  if (!FROM_SOURCE) return new Worker(ENTRY, options);
  const tsx = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/cjs$/, 'mjs');
  const urls = [pathToFileURL(tsx), ENTRY].map(({ href }) => JSON.stringify(href));
  const script = `import(${urls[0]}).then(({ register }) => { register(); return import(${urls[1]}); })`;
  return new Worker(script, { ...options, eval: true });
}

function failure(documents: readonly RulesDocument[], error: NodeJS.ErrnoException): Problem {
  const [largest] = [...documents].sort((a, b) => b.text.length - a.text.length);
  const problems = new Problems();
  const tooLarge = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const message = tooLarge ? 'the rules are too large to read' : `the rules could not be read: ${error.message}`;
  problems.addWhole(largest?.name ?? 'rules', message);
  return problems.all[0]!;
}
