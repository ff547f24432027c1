/** One line of the budget: commands that run one after the other, and how their checks are counted. */
export interface Suite {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  /** `exit`: each command is one check. `mocha`: its reporter counts. `last line`: "1 passed, 2 failed". */
  readonly counted: 'exit' | 'mocha' | 'last line';
  /** The commands get so long together, and are ended then. */
  readonly deadlineSeconds: number;
  readonly env?: Readonly<Record<string, string>>;
  /** The environment variable that leaves this suite out. */
  readonly without?: 'WITHOUT_REDIS' | 'WITHOUT_ENVOY' | 'WITHOUT_PROMETHEUS' | 'WITHOUT_CONTAINER';
}

const NODE = process.execPath;
const TSC = [NODE, 'node_modules/typescript/bin/tsc'];
const SERVERS_TAKE_MS = 30_000;

function mocha(...args: readonly string[]): readonly (readonly string[])[] {
  return [
    [
      ...[NODE, 'node_modules/mocha/bin/mocha.js', '--import=tsx', '--forbid-only'],
      ...['--reporter', 'test/run/mocha-reporter.cjs', '--timeout', String(SERVERS_TAKE_MS)],
      // A connection that somebody left half open must not hold up all the suites that follow.
      '--exit',
      ...args,
    ],
  ];
}

function oracle(store: 'redis' | 'memory'): readonly (readonly string[])[] {
  return [[NODE, '--import=tsx', 'test/oracle/replay.ts', '--store', store]];
}

const types: Suite = {
  name: 'types',
  commands: [
    [...TSC, '-p', '.', '--noEmit'],
    [...TSC, '-p', 'src/core'],
    [...TSC, '-p', 'test'],
  ],
  counted: 'exit',
  deadlineSeconds: 300,
};
const lint: Suite = {
  name: 'lint',
  commands: [[NODE, 'node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']],
  counted: 'exit',
  deadlineSeconds: 60,
};
const build: Suite = {
  name: 'build',
  commands: [['npm', 'run', '--silent', 'build']],
  counted: 'exit',
  deadlineSeconds: 300,
};

/** Folders of tests that are a suite of their own; all others are `unit`, so that a new folder is never left out. */
const APART = [
  'service',
  'edge',
  'e2e',
  'foreign',
  'interop',
  'receivers',
  'xds',
  'container',
  'dropin',
  'peer',
  'wire',
  'clients',
  'soak',
];
/** Folders whose tests need no server and no build. */
const PURE = ['core', 'rules', 'laws', 'golden', 'house'];

export const TEST: readonly Suite[] = [
  types,
  lint,
  build,
  {
    name: 'unit',
    commands: mocha(...APART.flatMap((folder) => ['--ignore', `test/${folder}/**`]), 'test/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 900,
  },
  {
    name: 'service',
    commands: mocha('test/service/**/*.test.ts', 'test/edge/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
  },
  {
    name: 'oracle on Redis',
    commands: oracle('redis'),
    counted: 'last line',
    deadlineSeconds: 600,
    without: 'WITHOUT_REDIS',
  },
  { name: 'oracle on memory', commands: oracle('memory'), counted: 'last line', deadlineSeconds: 300 },
  {
    name: 'e2e',
    commands: mocha('test/e2e/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    without: 'WITHOUT_ENVOY',
  },
  {
    name: 'receivers',
    commands: mocha('test/receivers/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
  },
  { name: 'xds', commands: mocha('test/xds/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  { name: 'wire', commands: mocha('test/wire/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  { name: 'peer', commands: mocha('test/peer/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  {
    name: 'container',
    commands: mocha('test/container/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    without: 'WITHOUT_CONTAINER',
  },
  {
    name: 'dropin',
    commands: mocha('test/dropin/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    without: 'WITHOUT_CONTAINER',
  },
  { name: 'foreign', commands: mocha('test/foreign/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  // Clients of other languages are fetched and built in it, the first time.
  { name: 'interop', commands: mocha('test/interop/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 1800 },
  {
    name: 'e2e on wire',
    commands: mocha('test/e2e/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    env: { GRPC_TRANSPORT: 'wire' },
    without: 'WITHOUT_ENVOY',
  },
  {
    name: 'foreign on wire',
    commands: mocha('test/foreign/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    env: { GRPC_TRANSPORT: 'wire' },
  },
  { name: 'clients', commands: mocha('test/clients/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
];

export const CHECK: readonly Suite[] = [
  types,
  lint,
  {
    name: 'pure',
    // Laws that compare stores need a Redis; they are for `make test`.
    env: { WITHOUT_REDIS: '1' },
    commands: mocha(...PURE.map((folder) => `test/${folder}/**/*.test.ts`)),
    counted: 'mocha',
    deadlineSeconds: 60,
  },
];

/** `make bench`: measures, and writes down what it measured. */
export const BENCH: readonly Suite[] = [
  {
    name: 'bench',
    commands: [[NODE, '--import=tsx', 'test/bench/main.ts']],
    counted: 'exit',
    deadlineSeconds: 1_800,
  },
];

/** `make soak`: the same tests that have a size, at their full size. */
export const SOAK: readonly Suite[] = [
  {
    name: 'soak',
    commands: mocha(
      ...['laws', 'edge', 'soak', 'faults', 'xds', 'wire'].map((folder) => `test/${folder}/**/*.test.ts`),
    ),
    counted: 'mocha',
    deadlineSeconds: 7_200,
    env: { SOAK: '1' },
  },
];
