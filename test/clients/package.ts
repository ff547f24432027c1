import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CACHE, fetched, Missing, run } from '../foreign/toolchain.ts';
import { SERVICE_COMMAND } from '../support/service.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOT_COPIED = /^(node_modules|dist|build|target|__pycache__|\..*_cache|.*\.egg-info)$/;
/** What fetchers say when the network is not there. */
const NO_NETWORK =
  /ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|NewConnectionError|No matching distribution found|Get "https?:[^"]*": dial|Could not transfer artifact/;

/** A checkout with nothing in it but one client and what its tests read, so that nothing of it reaches the real one. */
export interface Checkout {
  readonly root: string;
  /** Of the client. */
  readonly dir: string;
  remove(): Promise<void>;
}

export async function checkout(client: string): Promise<Checkout> {
  const top = await mkdtemp(join(tmpdir(), 'weir-clients-'));
  const root = join(top, 'weir');
  for (const part of [join('clients', client), 'proto']) {
    await cp(join(ROOT, part), join(root, part), {
      recursive: true,
      filter: (path) => !NOT_COPIED.test(basename(path)),
    });
  }
  return { root, dir: join(root, 'clients', client), remove: () => rm(top, { recursive: true, force: true }) };
}

/** Runs a command of a package's own; its tests start weirs as it was built here. */
export async function own(dir: string, command: string, args: readonly string[], env: Record<string, string> = {}) {
  const weir = { WEIR_COMMAND: SERVICE_COMMAND.replace(/ serve$/, '').replace(/^node /, `${process.execPath} `) };
  // What Maven fetches is kept, and what it installs is kept from whoever owns this machine.
  // It ends before what the second compiler of the JVM makes of it would pay.
  const maven = { MAVEN_OPTS: `-Dmaven.repo.local=${join(CACHE, 'maven')} -XX:TieredStopAtLevel=1` };
  const { code, output } = await run(command, args, { ...weir, ...maven, ...env }, dir);
  if (code === 0) return output;
  if (NO_NETWORK.test(output)) throw new Missing(`${command}: no network`);
  throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`);
}

/** Puts the packages that the lock file names where the client looks for them. */
export async function nodeModules(dir: string): Promise<void> {
  const folder = await cached(`client-typescript-${hashOf(join(dir, 'package-lock.json'))}`, async (path) => {
    for (const file of ['package.json', 'package-lock.json']) await cp(join(dir, file), join(path, file));
    await fetched('npm', ['ci', '--prefix', path, '--ignore-scripts', '--no-audit', '--no-fund']);
  });
  await symlink(join(folder, 'node_modules'), join(dir, 'node_modules'));
}

/** The folder of programs of a virtual environment with what the client's tests need. */
export async function pythonBin(dir: string): Promise<string> {
  const folder = await cached(`client-python-${hashOf(join(dir, 'pyproject.toml'))}`, async (path) => {
    await fetched('python3', ['-m', 'venv', '--clear', path]);
    const text = readFileSync(join(dir, 'pyproject.toml'), 'utf8');
    const [, group = ''] = /^test = \[\n([^\]]*)\]/m.exec(text) ?? [];
    const [, direct = ''] = /^dependencies = \[(.*)\]/m.exec(text) ?? [];
    const packages = [...`${group}${direct}`.matchAll(/"([^"]+)"/g)].map(([, name]) => name as string);
    await fetched(join(path, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...packages]);
  });
  return join(folder, 'bin');
}

/** A folder of the cache that is made once, beside its place, so that no other run finds half of it. */
async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  const unfinished = `${path}.${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  try {
    await make(unfinished);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another run may have been faster.
    if (!existsSync(path)) throw error;
  }
  return path;
}

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
