import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { Missing } from '../foreign/toolchain.ts';
import {
  BUBBLEWRAP,
  CURL,
  envoyInstalled,
  H2LOAD,
  installed,
  installRedises,
  MARIADB,
  PROMETHEUS,
  REDIS,
  TOOLCHAINS,
} from './install.ts';
import { by, newestNode } from './newest-node.ts';
import { report } from './report.ts';
import { endRunning, type Outcome, runSuite } from './run-suite.ts';
import { BENCH, CHECK, SOAK, type Suite, TEST } from './suites.ts';

const PLANS: Readonly<Record<string, readonly Suite[]>> = { test: TEST, check: CHECK, bench: BENCH, soak: SOAK };
const isOn = (name: string): boolean => !['', '0', 'false', undefined].includes(process.env[name]);

// The tests look for '1'.
for (const name of ['WITHOUT_REDIS', 'WITHOUT_ENVOY', 'WITHOUT_PROMETHEUS', 'WITHOUT_CONTAINER', 'REQUIRE_ALL'])
  process.env[name] = isOn(name) ? '1' : '';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endRunning();
    process.exit(1);
  });
}

const [plan = 'test'] = process.argv.slice(2);
const all = PLANS[plan];
const only = process.env.ONLY?.split(',');
const suites = all?.filter(({ name }) => !only || only.includes(name));
if (!suites || suites.length === 0) {
  console.error(`usage: main.ts ${Object.keys(PLANS).join('|')}; ONLY= one or more of: ${all?.map((it) => it.name)}`);
  process.exit(2);
}

const needsAny = (without: string, names: readonly string[]): boolean =>
  !isOn(without) && suites.some(({ name }) => names.includes(name));
const missing = [
  needsAny('WITHOUT_REDIS', [
    'unit',
    'service',
    'on Node 24',
    'peer',
    'container',
    'foreign',
    'docs',
    'oracle on Redis',
    'classics',
    'e2e',
    'observing',
    'bench',
    'soak',
  ])
    ? installed(REDIS)
    : '',
  needsAny('WITHOUT_ENVOY', ['e2e', 'container', 'observing']) ? envoyInstalled() : '',
  needsAny('WITHOUT_PROMETHEUS', ['receivers', 'observing']) ? installed(PROMETHEUS) : '',
  needsAny('WITHOUT_CONTAINER', ['container']) ? installed(BUBBLEWRAP) : '',
  needsAny('WITHOUT_REDIS', ['classics']) ? installed(MARIADB) : '',
  needsAny('', ['docs']) ? installed(CURL) : '',
  needsAny('', ['bench', 'soak']) ? installed(H2LOAD) : '',
].filter((advice) => advice !== '');
if (needsAny('WITHOUT_REDIS', ['unit', 'soak'])) installRedises();
for (const advice of missing) console.error(advice);
if (needsAny('', ['interop'])) for (const advice of TOOLCHAINS.map(installed)) if (advice !== '') console.error(advice);

const outcomes: Outcome[] = missing.map((trouble) => ({ ...nothing('prepare'), failed: 1, trouble }));
if (missing.length === 0) {
  if (all === TEST) warm();
  for (const suite of suites) outcomes.push(await outcomeOf(suite));
}
process.exitCode = report(outcomes, { requireAll: isOn('REQUIRE_ALL') }) ? 0 : 1;

function warm(): void {
  const child = spawn(process.execPath, ['--import=tsx', 'test/run/warm.ts'], { stdio: 'ignore', detached: true });
  const { pid } = child;
  if (pid === undefined) return;
  setPriority(pid, constants.priority.PRIORITY_LOW);
  let running = true;
  child.once('exit', () => (running = false));
  process.once('exit', () => running && process.kill(-pid));
}

async function outcomeOf(suite: Suite): Promise<Outcome> {
  const { name, without } = suite;
  if (without !== undefined && isOn(without)) {
    return { ...nothing(name), skipped: [{ title: 'all of it', because: `${without}=1` }] };
  }
  console.log(`\n--- ${name}`);
  if (!suite.onNewestNode) return runSuite(suite);
  try {
    return await runSuite(by(await newestNode(), suite));
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return { ...nothing(name), skipped: [{ title: 'all of it', because: error.message }] };
  }
}

function nothing(suite: string): Outcome {
  return { suite, passed: 0, failed: 0, skipped: [], seconds: 0, trouble: '' };
}
