import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Problem, RulesDocument } from '../core/ports.ts';
import { Problems } from './problem.ts';

export interface RulesFilesOptions {
  /** A directory, read whole with everything below, or one file. Either may be a symbolic link. */
  readonly path: string;
  /** Leave out files and directories whose name starts with a dot. */
  readonly ignoreDotFiles?: boolean;
  /** Only names that start with this, `/` written as a dot: `config.` */
  readonly prefix?: string;
  /** Name documents by their whole path, as a person at a terminal wants it, and not by the path below `path`. */
  readonly wholePaths?: boolean;
  /** A larger file is a problem. */
  readonly maxFileBytes?: number;
  /** All files together; more is a problem. */
  readonly maxBytes?: number;
  readonly maxFiles?: number;
}

export type RulesFiles =
  | { readonly ok: true; readonly documents: readonly RulesDocument[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly starved: boolean };

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 10_000;
const MAX_DIRECTORY_DEPTH = 32;
/** The files changed while they were read; tried again this often before the next event has to help. */
const MAX_TRIES = 5;
/** This process, or the system, has no descriptor left. */
const STARVED: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

/** What is on disk, without the contents. Equal fingerprints mean that nothing changed. */
export interface Listing {
  readonly files: readonly ListedFile[];
  /** For watching. */
  readonly directories: readonly string[];
  readonly fingerprint: string;
  /** When the newest of the files changed last, in milliseconds since the epoch. */
  readonly newestMs: number;
  readonly problems: readonly Problem[];
  /** A problem is that no file descriptor was left, which says nothing of the files. */
  readonly starved: boolean;
}

interface ListedFile {
  readonly name: string;
  readonly path: string;
}

/** Every rules file of a path, as one consistent set. */
export async function readRulesFiles(options: RulesFilesOptions): Promise<RulesFiles & { readonly listing: Listing }> {
  for (let attempt = 1; ; attempt++) {
    const listing = await listRulesFiles(options);
    if (listing.problems.length > 0)
      return { ok: false, problems: listing.problems, starved: listing.starved, listing };
    const read = await readListed(listing, options);
    // A set that was swapped in between is half old, half new: read it again.
    const settled = (await listRulesFiles(options)).fingerprint === listing.fingerprint;
    if (settled || attempt === MAX_TRIES) return { ...read, listing };
  }
}

/** Walks the path. Links to files are followed, links to directories are not, as in the Go service; so nothing loops. */
export async function listRulesFiles(options: RulesFilesOptions): Promise<Listing> {
  const { path, ignoreDotFiles = false, prefix = '', wholePaths = false, maxFiles = MAX_FILES } = options;
  const problems = new Problems();
  const files: ListedFile[] = [];
  const directories: string[] = [];
  const prints: string[] = [];
  let newestMs = 0;
  let starved = false;
  const shown = (name: string, at: string): string => (wholePaths ? at : name);
  const refuse = (name: string, message: string): void =>
    problems.addWhole(name === '' ? path : shown(name, join(path, name)), message);

  const takeFile = async (name: string, at: string): Promise<void> => {
    if (!dotted(name).startsWith(prefix)) return;
    const found = await stat(at, { bigint: true });
    // A FIFO would block whoever opens it; a socket or a device holds no rules. A linked directory is not descended.
    if (!found.isFile()) return;
    if (files.length >= maxFiles) return refuse('', `more than ${maxFiles} files`);
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found;
    newestMs = Math.max(newestMs, Number(ctimeMs));
    prints.push(`${name}\0${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`);
    files.push({ name: shown(name, at), path: at });
  };

  const walk = async (name: string, at: string, depth: number): Promise<void> => {
    if (depth > MAX_DIRECTORY_DEPTH) return refuse(name, `directories nested deeper than ${MAX_DIRECTORY_DEPTH}`);
    directories.push(at);
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (files.length >= maxFiles && problems.all.length > 0) return;
      // `..data` and `..2024_05_01` are how a kubelet swaps a mounted ConfigMap; the files are linked beside them.
      if (entry.name.startsWith('..') || (ignoreDotFiles && entry.name.startsWith('.'))) continue;
      const below = name === '' ? entry.name : `${name}/${entry.name}`;
      const there = join(at, entry.name);
      await tolerant(below, async () => {
        if (!entry.isDirectory()) await takeFile(below, there);
        else if (couldHold(dotted(below), prefix)) await walk(below, there, depth + 1);
      });
    }
  };

  /** What goes away while it is looked at is not there; what cannot be read is a problem. */
  const tolerant = async (name: string, look: () => Promise<void>): Promise<void> => {
    try {
      await look();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' && (await isDanglingOrGone(join(path, name)))) return;
      starved ||= STARVED.has(code);
      refuse(name, `cannot be read: ${code}`);
    }
  };

  try {
    prints.push(await realpath(path));
    if ((await stat(path)).isDirectory()) await walk('', path, 0);
    else await takeFile(basename(path), path);
    if (files.length === 0 && directories.length === 0) refuse('', 'is neither a file nor a directory');
  } catch (error) {
    const code = codeOf(error);
    starved ||= STARVED.has(code);
    refuse('', code === 'ENOENT' ? 'no such file or directory' : `cannot be read: ${code}`);
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { files, directories, fingerprint: prints.sort().join('\n'), newestMs, problems: problems.all, starved };
}

function dotted(name: string): string {
  return name.replaceAll('/', '.');
}

/** May something below a directory start with the prefix? */
function couldHold(directory: string, prefix: string): boolean {
  return `${directory}.`.startsWith(prefix) || prefix.startsWith(`${directory}.`);
}

/** A link that leads nowhere is passed over like a file that has just gone. */
async function isDanglingOrGone(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return true;
  }
}

async function readListed({ files }: Listing, options: RulesFilesOptions): Promise<RulesFiles> {
  const { maxFileBytes = MAX_FILE_BYTES, maxBytes = MAX_BYTES } = options;
  const problems = new Problems();
  const documents: RulesDocument[] = [];
  let left = maxBytes;
  let starved = false;
  for (const { name, path } of files) {
    try {
      const bytes = await readBounded(path, Math.min(maxFileBytes, left));
      if (bytes === null) {
        const bound =
          left < maxFileBytes ? `all rules together are larger than ${maxBytes}` : `larger than ${maxFileBytes}`;
        problems.addWhole(name, `${bound} bytes`);
        continue;
      }
      left -= bytes.length;
      documents.push({ name, text: decodeText(bytes) });
    } catch (error) {
      const code = codeOf(error);
      starved ||= STARVED.has(code);
      problems.addWhole(name, `cannot be read: ${code}`);
    }
  }
  return problems.all.length > 0 ? { ok: false, problems: problems.all, starved } : { ok: true, documents };
}

/** null when there is more than that. Never waits for a writer, should the file have become a FIFO. */
async function readBounded(path: string, maxBytes: number): Promise<Buffer | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) return Buffer.alloc(0);
    if (found.size > maxBytes) return null;
    const bytes = await file.readFile();
    return bytes.length > maxBytes ? null : bytes;
  } finally {
    await file.close();
  }
}

/** UTF-8, or UTF-16 by its byte order mark. A byte that is no UTF-8 becomes half a character, which YAML refuses. */
function decodeText(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    return bytes
      .subarray(0, bytes.length & ~1)
      .swap16()
      .toString('utf16le');
  const text = bytes.toString('utf8');
  const again = Buffer.from(text);
  if (again.equals(bytes)) return text;
  const differs = again.findIndex((byte, i) => byte !== bytes[i]);
  const before = again
    .subarray(0, differs)
    .toString('utf8')
    .replace(/\ufffd$/, '');
  return `${before}\udcff${text.slice(before.length + 1)}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
