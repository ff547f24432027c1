import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Part } from '../core/ports.ts';
import type { KeyMaterial, KeySource } from '../wire/secure-server.ts';

/** A file in PEM form. */
export interface PemFile {
  readonly path: string;
  /** The setting that names it; sentences begin with it. */
  readonly setting: string;
}

export interface CertificateFiles {
  /** The server's own, with those between it and its authority. */
  readonly cert: PemFile;
  readonly key: PemFile;
  /** The only authorities whose clients are let in; null: clients need no certificate. */
  readonly clientCa: PemFile | null;
}

export interface Certificate {
  readonly material: KeyMaterial;
  /** `DNS:a.example, IP Address:10.0.0.1`, or the subject where there is none. */
  readonly names: string;
  readonly validFromMs: number;
  readonly validToMs: number;
  /** Of the authorities for clients, that which ends first; null without any. */
  readonly clientCaValidToMs: number | null;
}

export interface CertificatesOptions {
  /** New ones are in use from now on. */
  readonly onReplaced?: (now: Certificate) => void;
  /** New ones do not serve, and the old ones stay. Once for each content. */
  readonly onRefused?: (error: Error) => void;
  /** How long changes gather after the first one, so that a pair is read when both of it are there. */
  readonly gatherMs?: number;
  /** How often the files are read, should the system have told nothing. */
  readonly rescanMs?: number;
  readonly nowMs?: () => number;
}

export interface Certificates extends Part, KeySource {
  current(): Certificate;
  readonly stats: { readonly reloads: number; readonly refusals: number };
}

type Contents = readonly [cert: Buffer, key: Buffer, ca: Buffer | null];

const GATHER_MS = 50;
const RESCAN_MS = 1_000;
const MAX_FILE_BYTES = 1_048_576;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads them now; throws an Error with a sentence when they do not serve. An old certificate does: its age is told. */
export function readCertificate(files: CertificateFiles): Certificate {
  const [cert, key, ca] = listed(files).map((file) => {
    if (file === null) return null;
    try {
      return readFileSync(file.path);
    } catch (error) {
      throw unreadable(file, error);
    }
  });
  return certificateOf(files, [cert!, key!, ca!]);
}

/**
 * The certificates of a server, and new ones as soon as their files change: written in place, renamed, or swapped below
 * a link, as Kubernetes does. What does not serve, or is past its time, never replaces what does.
 * Throws an Error with a sentence when they do not serve from the start.
 */
export function certificates(files: CertificateFiles, options: CertificatesOptions = {}): Certificates {
  const { onReplaced, onRefused, gatherMs = GATHER_MS, rescanMs = RESCAN_MS, nowMs = Date.now } = options;
  const stats = { reloads: 0, refusals: 0 };
  const listeners: ((material: KeyMaterial) => void)[] = [];
  const watchers: FSWatcher[] = [];
  let current = readCertificate(files);
  let seen = contentsOf(current);
  let told = '';
  let gather: NodeJS.Timeout | null = null;
  let rescan: NodeJS.Timeout | null = null;
  let looking: Promise<void> | null = null;
  let stopped = false;

  function look(): Promise<void> {
    looking ??= readIfChanged().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function readIfChanged(): Promise<void> {
    try {
      const read = await contentsNow(files);
      if (stopped) return;
      if (isSame(read, seen)) {
        told = '';
        return;
      }
      const before = seen;
      seen = read;
      const found = certificateOf(files, read);
      if (found.validToMs <= nowMs()) {
        throw new Error(`${files.cert.setting}: the new certificate in ${files.cert.path} has expired`);
      }
      if (found.validFromMs > nowMs()) {
        // Its time comes, so it is looked at again.
        seen = before;
        const from = new Date(found.validFromMs).toISOString();
        throw new Error(`${files.cert.setting}: the new certificate in ${files.cert.path} is valid only from ${from}`);
      }
      replace(found);
    } catch (error) {
      refuse(error as Error);
    }
  }

  function replace(found: Certificate): void {
    current = found;
    told = '';
    stats.reloads++;
    for (const listener of listeners) listener(found.material);
    onReplaced?.(found);
  }

  /** The same trouble is told once; with the files unreadable there is one at every look. */
  function refuse(error: Error): void {
    if (error.message === told) return;
    told = error.message;
    stats.refusals++;
    onRefused?.(error);
  }

  function changed(): void {
    if (stopped || gather !== null) return;
    gather = setTimeout(() => {
      gather = null;
      // A look that is under way may have read too early.
      void (looking ?? Promise.resolve()).then(look);
    }, gatherMs);
    gather.unref();
  }

  function watchDirectories(): void {
    for (const directory of new Set(listed(files).flatMap((file) => (file === null ? [] : [dirname(file.path)])))) {
      try {
        const watcher = watch(directory, { persistent: false }, changed);
        watcher.on('error', () => watcher.close());
        watchers.push(watcher);
      } catch {
        // No descriptor left, or no such thing on this file system: the rescan sees it.
      }
    }
  }

  return {
    name: 'certificates',
    current: () => current,
    listen: (listener) => void listeners.push(listener),
    stats,
    async start() {
      watchDirectories();
      rescan = setInterval(() => void look(), rescanMs);
      rescan.unref();
    },
    async stop() {
      stopped = true;
      if (gather !== null) clearTimeout(gather);
      if (rescan !== null) clearInterval(rescan);
      for (const watcher of watchers.splice(0)) watcher.close();
      await looking;
    },
  };
}

function listed({ cert, key, clientCa }: CertificateFiles): readonly (PemFile | null)[] {
  return [cert, key, clientCa];
}

async function contentsNow(files: CertificateFiles): Promise<Contents> {
  const [cert, key, ca] = await Promise.all(
    listed(files).map((file) =>
      file === null
        ? null
        : readFile(file.path).catch((error: unknown) => {
            throw unreadable(file, error);
          }),
    ),
  );
  return [cert!, key!, ca!];
}

function contentsOf({ material: { cert, key, ca } }: Certificate): Contents {
  return [cert, key, ca ?? null];
}

function isSame(read: Contents, seen: Contents): boolean {
  return read.every((part, i) => (part === null ? seen[i] === null : seen[i] !== null && part.equals(seen[i]!)));
}

function certificateOf(files: CertificateFiles, [cert, key, ca]: Contents): Certificate {
  const [leaf] = parsed(files.cert, cert);
  const own = privateKey(files.key, key);
  if (!leaf.checkPrivateKey(own)) {
    throw new Error(`${files.key.setting}: the key in ${files.key.path} is not that of ${files.cert.path}`);
  }
  const authorities = ca === null || files.clientCa === null ? null : parsed(files.clientCa, ca);
  const material = { cert, key, ...(ca === null ? {} : { ca }) };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new Error(`${files.cert.setting}: ${files.cert.path} cannot be used: ${(error as Error).message}`);
  }
  return {
    material,
    names: leaf.subjectAltName ?? leaf.subject.replaceAll('\n', ', '),
    validFromMs: Date.parse(leaf.validFrom),
    validToMs: Date.parse(leaf.validTo),
    clientCaValidToMs: authorities && Math.min(...authorities.map(({ validTo }) => Date.parse(validTo))),
  };
}

/** All certificates of a file. Node itself passes over those it cannot read, and then trusts nobody. */
function parsed({ path, setting }: PemFile, bytes: Buffer): readonly [X509Certificate, ...X509Certificate[]] {
  if (bytes.length > MAX_FILE_BYTES) throw new Error(`${setting}: ${path} is larger than ${MAX_FILE_BYTES} bytes`);
  const [first, ...others] = bytes.toString('latin1').match(PEM_CERTIFICATE) ?? [];
  if (first === undefined) throw new Error(`${setting}: there is no certificate in PEM form in ${path}`);
  try {
    return [new X509Certificate(first), ...others.map((each) => new X509Certificate(each))];
  } catch {
    throw new Error(`${setting}: a certificate in ${path} cannot be read`);
  }
}

/** What the parser says is left out: it could hold a piece of the key. */
function privateKey({ path, setting }: PemFile, bytes: Buffer) {
  try {
    return createPrivateKey(bytes);
  } catch {
    throw new Error(`${setting}: there is no private key in PEM form, without a passphrase, in ${path}`);
  }
}

function unreadable({ path, setting }: PemFile, error: unknown): Error {
  return new Error(`${setting}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
}
