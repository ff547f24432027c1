import { type FSWatcher, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem, RulesDocument } from '../core/ports.ts';
import type { RulesSource } from './loader.ts';
import { type Listing, listRulesFiles, type RulesFilesOptions, readRulesFiles } from './rules-files.ts';

export interface FileSourceOptions extends RulesFilesOptions {
  /** Further directories in which a link may be swapped. */
  readonly watchAlso?: readonly string[];
  /** How long changes gather after the first one before the files are read. */
  readonly gatherMs?: number;
  /** How often everything is looked at, should the system have told nothing (network file systems, lost events). */
  readonly rescanMs?: number;
}

export interface RuntimeOptions {
  readonly root: string;
  readonly subdirectory: string;
  readonly appDirectory: string;
  readonly watchRoot: boolean;
  readonly ignoreDotFiles: boolean;
}

const GATHER_MS = 50;
const RESCAN_MS = 1_000;
const YOUNG_MS = 1_500;
/** A watched directory costs a descriptor; beyond these the rescan has to do. */
const MAX_WATCHED = 256;

/**
 * The places of the Go service's RUNTIME_* names. With `watchRoot` all of root/subdirectory is looked at, and only what is
 * named `appDirectory.` something, `/` read as a dot; without, every file below root/subdirectory/appDirectory counts.
 */
export function runtimeFiles(options: RuntimeOptions): FileSourceOptions {
  const { root, subdirectory, appDirectory, watchRoot, ignoreDotFiles } = options;
  const watchAlso = [dirname(root)];
  const base = join(root, subdirectory);
  return watchRoot
    ? { path: base, prefix: `${appDirectory}.`, ignoreDotFiles, watchAlso }
    : { path: join(base, appDirectory), ignoreDotFiles, watchAlso: [...watchAlso, root] };
}

/**
 * Reads rules from disk, again whenever they changed: a ConfigMap's `..data` swap, a swapped link above, a write in place,
 * a rename, a new or deleted file. Events make it quick, and a cheap comparison of inodes, sizes and times every second
 * makes it certain. A missing path is a problem until it appears.
 */
export function fileSource(options: FileSourceOptions): RulesSource {
  const { gatherMs = GATHER_MS, rescanMs = RESCAN_MS } = options;
  const watchers: FSWatcher[] = [];
  let gather: NodeJS.Timeout | null = null;
  let rescan: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let stopped = false;
  let fingerprint = '';
  let told = '';
  let everTold = false;

  const source: RulesSource = {
    name: 'rules files',
    onDocuments: async () => null,
    onUnreadable: () => {},
    async start() {
      await look();
      rescan = setInterval(() => void look(), rescanMs);
      rescan.unref();
    },
    async stop() {
      stopped = true;
      if (gather !== null) clearTimeout(gather);
      if (rescan !== null) clearInterval(rescan);
      closeWatchers();
      await running;
    },
  };

  /** One look at a time; who comes while one runs waits for it, and the next event or rescan sees what it missed. */
  function look(): Promise<void> {
    running ??= (stopped ? Promise.resolve() : readIfChanged()).finally(() => {
      running = null;
    });
    return running;
  }

  async function readIfChanged(): Promise<void> {
    const before = await listRulesFiles(options);
    if (stopped || stateOf(before) === fingerprint || passedOver(before.starved)) return;
    // Watched anew before the files are read: behind a swapped link the same path is another directory.
    watchDirectories(before.directories);
    const read = await readRulesFiles(options);
    if (stopped || passedOver(!read.ok && read.starved)) return;
    // File times tick every few milliseconds, so what is this young may change again and look the same.
    const young = Math.abs(Date.now() - read.listing.newestMs) < YOUNG_MS;
    fingerprint = young ? '' : stateOf(read.listing);
    everTold = true;
    if (read.ok) tell(read.documents);
    else tellUnreadable(read.problems);
  }

  /** Without a descriptor nothing is known of the rules, and the next look may know more. Only a start must tell it. */
  function passedOver(starved: boolean): boolean {
    return starved && everTold;
  }

  function tell(documents: readonly RulesDocument[]): void {
    told = '';
    void source.onDocuments(documents);
  }

  /** The same trouble is told once. */
  function tellUnreadable(problems: readonly Problem[]): void {
    const text = JSON.stringify(problems);
    if (text !== told) source.onUnreadable(problems);
    told = text;
  }

  function changed(): void {
    if (stopped || gather !== null) return;
    gather = setTimeout(() => {
      gather = null;
      // A look that is under way may have read too early.
      void (running ?? Promise.resolve()).then(look);
    }, gatherMs);
    gather.unref();
  }

  function watchDirectories(found: readonly string[]): void {
    closeWatchers();
    const wanted = new Set([dirname(options.path), options.path, ...(options.watchAlso ?? []), ...found]);
    for (const path of [...wanted].slice(0, MAX_WATCHED)) {
      try {
        const watcher = watch(path, { persistent: false }, changed);
        watcher.on('error', () => watcher.close());
        watchers.push(watcher);
      } catch {
        // Not there, or no descriptor left: the rescan sees it.
      }
    }
  }

  function closeWatchers(): void {
    for (const watcher of watchers.splice(0)) watcher.close();
  }

  return source;
}

function stateOf(listing: Listing): string {
  return JSON.stringify([listing.fingerprint, listing.problems]);
}
