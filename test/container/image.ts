import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Instruction, type Stage, stagesOf } from './dockerfile.ts';

const CONTEXT = fileURLToPath(new URL('../..', import.meta.url));
/** Where the base image has Node, and what else a process needs of the system below it. */
const NODE_DIRECTORY = '/nodejs/bin';
const OF_THE_SYSTEM = ['usr', 'lib', 'lib64', 'proc', 'dev', NODE_DIRECTORY];

/** What the Dockerfile makes, without its base images: a tree of files and how it is started. */
export interface Image {
  /** Of the files. */
  readonly root: string;
  readonly workdir: string;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly health: readonly string[];
  readonly labels: string;
  /** Of all stages, in order. */
  readonly bases: readonly string[];
}

let made: Image | undefined;

/** One for all tests of a run: the steps of the Dockerfile, done with the machine's own Node and npm. */
export function builtImage(): Image {
  made ??= build();
  return made;
}

function build(): Image {
  const stages = stagesOf(readFileSync(join(CONTEXT, 'Dockerfile'), 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'weir-image-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const roots = new Map<string, string>();
  let image: Image | null = null;
  for (const [i, stage] of stages.entries()) {
    const root = join(folder, `stage-${i}`);
    mkdirSync(root);
    roots.set(stage.name, root);
    image = { ...built(stage, root, roots), bases: stages.map((each) => each.image) };
  }
  if (image === null) throw new Error('the Dockerfile has no stage');
  for (const mount of OF_THE_SYSTEM) mkdirSync(join(image.root, mount), { recursive: true });
  return image;
}

/** The words that run `command` in the image: uid 65534, pid 1, no capability, a root that cannot be written. */
export function inImage(
  { root, workdir, user }: Image,
  env: Readonly<Record<string, string>>,
  mounts: Readonly<Record<string, string>>,
  command: readonly string[],
): readonly string[] {
  const [uid = '', gid = ''] = user.split(':');
  const binds = Object.entries(mounts).flatMap(([inside, outside]) => ['--ro-bind', outside, inside]);
  return [
    ...[
      'bwrap',
      '--unshare-user',
      '--unshare-pid',
      '--uid',
      uid,
      '--gid',
      gid,
      '--cap-drop',
      'ALL',
      '--die-with-parent',
    ],
    ...[
      '--ro-bind',
      root,
      '/',
      '--ro-bind',
      '/usr',
      '/usr',
      '--ro-bind',
      '/lib',
      '/lib',
      '--ro-bind',
      '/lib64',
      '/lib64',
    ],
    ...['--ro-bind', dirname(process.execPath), NODE_DIRECTORY, '--proc', '/proc', '--dev', '/dev'],
    ...binds,
    ...['--chdir', workdir, '--as-pid-1', '--clearenv'],
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--', ...command],
  ];
}

/** The process inside, which bubblewrap waits for. */
export function childOf(pid: number): number {
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return Number(child);
}

/** The directories that the tests mount into an image must be there before its root is read-only. */
export function mountPoint({ root }: Image, path: string): void {
  mkdirSync(join(root, path), { recursive: true });
}

function built(stage: Stage, root: string, roots: ReadonlyMap<string, string>): Omit<Image, 'bases'> {
  let workdir = '/';
  const said = (name: string): string => stage.instructions.findLast((each) => each.name === name)?.rest ?? '';
  for (const instruction of stage.instructions) {
    if (instruction.name === 'WORKDIR') {
      workdir = posix.resolve(workdir, instruction.rest);
      mkdirSync(join(root, workdir), { recursive: true });
    } else if (instruction.name === 'COPY') copy(instruction, root, workdir, roots);
    else if (instruction.name === 'RUN') run(instruction.rest, join(root, workdir));
  }
  const [, health = '[]'] = /CMD (\[.*\])/.exec(said('HEALTHCHECK')) ?? [];
  return {
    root,
    workdir,
    user: said('USER'),
    entrypoint: JSON.parse(said('ENTRYPOINT') || '[]'),
    health: JSON.parse(health),
    labels: said('LABEL').replace(/\$\{VERSION\}/g, said('ARG').replace('VERSION=', '')),
  };
}

function copy({ flags, rest }: Instruction, root: string, workdir: string, roots: ReadonlyMap<string, string>): void {
  const words = rest.split(/\s+/);
  const to = words.pop() ?? '';
  const from = flags.from === undefined ? CONTEXT : roots.get(flags.from);
  if (from === undefined) throw new Error(`there is no stage ${flags.from}`);
  for (const path of words) {
    if (flags.from === undefined && !isSent(path)) throw new Error(`.dockerignore leaves out ${path}`);
    const target = join(root, posix.resolve(workdir, to), to.endsWith('/') ? basename(path) : '');
    cpSync(join(from, path), target, { recursive: true });
    if (flags.chmod !== undefined) chmodSync(target, Number.parseInt(flags.chmod, 8));
  }
}

/** Everything is left out but what .dockerignore names with a `!`. */
function isSent(path: string): boolean {
  const lines = readFileSync(join(CONTEXT, '.dockerignore'), 'utf8').split('\n');
  const sent = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  return sent.some((each) => path === each || path.startsWith(`${each}/`));
}

function run(command: string, cwd: string): void {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd, encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) throw new Error(`${command}\n${stdout}\n${stderr}`);
}
