import { spawnSync } from 'node:child_process';

/** What the tests need on the machine, and cannot run without. */
export interface Need {
  readonly program: string;
  readonly package: string;
  /** The environment variable that does without it. */
  readonly without: string;
}

export const REDIS: Need = { program: 'redis-server', package: 'redis-server', without: 'WITHOUT_REDIS' };
export const PROMETHEUS: Need = { program: 'prometheus', package: 'prometheus', without: 'WITHOUT_PROMETHEUS' };
export const MARIADB: Need = { program: 'mariadb-install-db', package: 'mariadb-server', without: '' };
export const BUBBLEWRAP: Need = { program: 'bwrap', package: 'bubblewrap', without: 'WITHOUT_CONTAINER' };
export const CURL: Need = { program: 'curl', package: 'curl', without: '' };
export const H2LOAD: Need = { program: 'h2load', package: 'nghttp2-client', without: '' };
/** Who has none of these skips the tests of clients made with them. */
export const TOOLCHAINS: readonly Need[] = [
  { program: 'javac', package: 'default-jdk-headless', without: '' },
  { program: 'mvn', package: 'maven', without: '' },
  { program: 'protoc', package: 'protobuf-compiler', without: '' },
  H2LOAD,
];

const INSTALL_MS = 300_000;

let listsAreFresh = false;

/** '' when the program is there or could be installed, else what to do. */
export function installed(need: Need): string {
  if (has(need.program)) return '';
  const advice =
    `${need.program} is missing: apt-get install ${need.package} (Debian, Ubuntu), ` +
    `or the package of your system${need.without === '' ? '' : `, or ${need.without}=1 to go without`}`;
  const root = asRoot();
  if (!has('apt-get') || root === null) return advice;
  console.log(`installing ${need.package}`);
  aptInstall(root, need.package);
  return has(need.program) ? '' : `${advice} (apt-get could not)`;
}

/** '' when the pinned Envoy is there or could be installed, else what to do. */
export function envoyInstalled(without = 'WITHOUT_ENVOY'): string {
  const script = 'test/support/install-envoy.sh';
  if (run([], 'sh', script)) return '';
  const root = asRoot();
  if (root !== null && has('apt-get')) {
    aptInstall(root, 'python3', 'python3-venv', 'python3-pip');
    if (run([], 'sh', script)) return '';
  }
  const advice = `Envoy could not be installed: see what ${script} says above`;
  return without === '' ? advice : `${advice}, or ${without}=1 to go without`;
}

/**
 * Servers that the packages of the system don't have, for the tests that weir counts in them too. Where one can't be had,
 * its tests are skipped and say so.
 */
export function installRedises(): void {
  const script = 'test/support/install-redis.sh';
  const missing = (): readonly string[] => ['redis-6.2', 'valkey'].filter((name) => !run([], 'sh', script, name));
  const root = asRoot();
  if (missing().length === 0 || root === null || !has('apt-get')) return;
  aptInstall(root, 'python3', 'python3-venv');
  missing();
}

function aptInstall(root: readonly string[], ...packages: readonly string[]): void {
  if (!listsAreFresh) listsAreFresh = run(root, 'apt-get', 'update', '-q');
  run(root, 'apt-get', 'install', '-qy', '--no-install-recommends', ...packages);
}

/** The words that make a command run as root; null when there is no way. */
function asRoot(): readonly string[] | null {
  if (process.getuid?.() === 0) return [];
  return has('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}

function has(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', program]).status === 0;
}

function run(prefix: readonly string[], ...words: readonly string[]): boolean {
  const [command, ...args] = [...prefix, ...words] as [string, ...string[]];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'], timeout: INSTALL_MS }).status === 0;
}
