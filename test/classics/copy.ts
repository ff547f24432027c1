import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CACHE, fetched, orSkip, run } from '../foreign/toolchain.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOT_COPIED = /^(node_modules|dist|build|target|\.venv.*|__pycache__|\..*_cache|.*\.egg-info|.*\.tgz)$/;

/** A checkout of the examples, the clients and weir as it was built, so that nothing of a test reaches the real one. */
export interface Copy {
  readonly root: string;
  /** Where the examples may put what they need for a run. */
  readonly temporary: string;
  /** Of an example. */
  path(example: string, ...more: readonly string[]): string;
  rules(example: string): Promise<string>;
  /** Rules and demos with windows so long that none ends while they are tested. */
  lengthenWindows(example: string): Promise<void>;
  /** Runs Python code in an example's folder, and resolves with what it prints. */
  python(example: string, code: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** The same as a process of its own; `code` may be the name of a file. */
  startPython(example: string, code: string, env?: Readonly<Record<string, string>>): Promise<OwnProcess>;
  /** The environment that Python code needs, for whoever starts a command of an example. */
  readonly pythonEnv: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

export async function copy(): Promise<Copy> {
  const top = await mkdtemp(join(tmpdir(), 'weir-classics-'));
  const root = join(top, 'weir');
  const temporary = join(top, 't');
  await mkdir(temporary);
  await cp(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
  for (const part of ['proto', 'package.json', 'examples', 'clients/python', 'clients/typescript']) {
    await cp(join(ROOT, part), join(root, part), {
      recursive: true,
      filter: (path) => !NOT_COPIED.test(basename(path)),
    });
  }
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const path = (example: string, ...more: readonly string[]) => join(root, 'examples', 'classics', example, ...more);
  const pythonEnv = {
    VENV: join(
      CACHE,
      `classics-python-${hashOf(path('requirements.txt'), join(root, 'clients/python/pyproject.toml'))}`,
    ),
    // Beats the client that was installed with the rest, perhaps from an older checkout.
    PYTHONPATH: join(root, 'clients/python/src'),
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
  };
  const rules = (example: string) => readFile(path(example, 'rules.yaml'), 'utf8');
  const startPython = (example: string, code: string, env: Readonly<Record<string, string>> = {}) =>
    ownProcess({
      name: `Python in ${example}`,
      command: path('python.sh'),
      args: code.endsWith('.py') ? [code] : ['-c', code],
      env: { ...pythonEnv, ...env },
      cwd: path(example),
    });
  return {
    root,
    temporary,
    path,
    rules,
    async lengthenWindows(example) {
      await writeFile(path(example, 'rules.yaml'), longer(await rules(example)));
    },
    startPython,
    async python(example, code, env) {
      const child = await startPython(example, code, env);
      const { code: status } = await child.ended;
      if (status !== 0) throw new Error(`Python in ${example} ended with ${status}\n${child.output()}`);
      return child.output().trim();
    },
    pythonEnv,
    remove: () => rm(top, { recursive: true, force: true }),
  };
}

/** A year in place of a minute: no window ends, and no token comes back, while a test looks. */
export const longer = (rules: string): string => rules.replaceAll('unit: minute', 'unit: year');

/** Call it in a `before` hook of tests that run Python. */
export async function needsPython(test: Mocha.Context, { path, pythonEnv }: Copy): Promise<void> {
  await orSkip(test, () => fetched(path('python.sh'), ['-c', 'import flask, redis, weir_client'], pythonEnv));
}

/** Likewise for Node.js, with the packages of an example and the client of this checkout, as its `run` installs them. */
export async function needsNodeModules(test: Mocha.Context, { path }: Copy, example: string): Promise<void> {
  await orSkip(test, () => fetched(path(example, 'install'), []));
}

/** Runs a command and fails with what it printed. */
export async function succeeds(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, output } = await run(command, args, {}, cwd);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`);
  return output;
}

function hashOf(...files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}
