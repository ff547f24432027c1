/** One line of the budget: commands that run one after the other, and how their checks are counted. */
export interface Suite {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  /** `exit`: each command is one check. `mocha`: its reporter counts. `last line`: "1 passed, 2 failed". */
  readonly counted: 'exit' | 'mocha' | 'last line';
  /** The commands get so long together, and are ended then. */
  readonly deadlineSeconds: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Run by the newest long-term Node in place of the one that runs the others. */
  readonly onNewestNode?: true;
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
  'observing',
  'xds',
  'container',
  'dropin',
  'peer',
  'wire',
  'clients',
  'deploy',
  'classics',
  'docs',
  'release',
  'soak',
];
/** What leans on Node: sockets, files, TLS, processes, threads, loaders, streams, zlib, crypto, and Intl's calendars. */
const NEWEST_NODE_TOO = [
  ...['cli', 'grpc', 'http', 'service', 'store', 'telemetry', 'wire'].map((folder) => `test/${folder}/**/*.test.ts`),
  ...['compilation', 'file-source', 'large-loads', 'loader'].map((name) => `test/rules/${name}.test.ts`),
  'test/core/calendar.test.ts',
  'test/settings/value-hash.test.ts',
];
/** Of those folders, what does nothing by Node that others there don't do, and why. The rest of them is run. */
export const SAME_ON_EVERY_NODE: Readonly<Record<string, readonly string[]>> = {
  'Redis counts, by scripts of its own; that weir and Redis hear each other is shown by the others': [
    ...['exactness', 'redis-algorithms', 'redis-versions'].map((name) => `test/store/${name}.test.ts`),
    'test/service/processes.test.ts',
  ],
  'memory, arithmetic and a clock of the tests': [
    ...['across-stores', 'failure-policy', 'memory', 'over-limit-cache'].map((name) => `test/store/${name}.test.ts`),
    ...['buckets', 'families', 'labels', 'stats', 'summed'].map((name) => `test/telemetry/${name}.test.ts`),
    'test/telemetry/mapping/mapper.test.ts',
  ],
  'bytes that never leave the process, in numbers; text.test.ts says what Node makes of texts': [
    ...['rls-request', 'rls-response'].map((name) => `test/grpc/${name}.test.ts`),
    ...['frame-reader', 'fuzz', 'hpack'].map((name) => `test/wire/${name}.test.ts`),
  ],
  'two doors of weir are compared with each other': ['test/service/agreement.test.ts'],
};
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
  { name: 'observing', commands: mocha('test/observing/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 900 },
  { name: 'xds', commands: mocha('test/xds/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  { name: 'wire', commands: mocha('test/wire/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  { name: 'peer', commands: mocha('test/peer/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  {
    name: 'container',
    // Together, for the image is built once.
    commands: mocha('test/container/**/*.test.ts', 'test/dropin/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 900,
    without: 'WITHOUT_CONTAINER',
  },
  { name: 'foreign', commands: mocha('test/foreign/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  // Clients of other languages are fetched and built in it, the first time.
  { name: 'interop', commands: mocha('test/interop/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 1800 },
  {
    name: 'e2e on grpc-js',
    // Without what does not run on it: the stub that the cases see through, and what is told of wire alone.
    commands: mocha(
      ...['always-ok', 'wire'].flatMap((name) => ['--ignore', `test/e2e/${name}.test.ts`]),
      'test/e2e/**/*.test.ts',
    ),
    counted: 'mocha',
    deadlineSeconds: 600,
    env: { GRPC_TRANSPORT: 'grpc-js' },
    without: 'WITHOUT_ENVOY',
  },
  {
    name: 'foreign on grpc-js',
    commands: mocha('test/foreign/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 600,
    env: { GRPC_TRANSPORT: 'grpc-js' },
  },
  { name: 'clients', commands: mocha('test/clients/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 900 },
  {
    name: 'classics',
    commands: mocha('test/classics/**/*.test.ts'),
    counted: 'mocha',
    deadlineSeconds: 900,
    without: 'WITHOUT_REDIS',
  },
  // Building helm takes minutes the first time.
  { name: 'deploy', commands: mocha('test/deploy/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 1_200 },
  { name: 'docs', commands: mocha('test/docs/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  { name: 'release', commands: mocha('test/release/**/*.test.ts'), counted: 'mocha', deadlineSeconds: 600 },
  {
    name: 'on Node 24',
    commands: mocha(
      ...Object.values(SAME_ON_EVERY_NODE).flatMap((files) => files.flatMap((file) => ['--ignore', file])),
      ...NEWEST_NODE_TOO,
    ),
    counted: 'mocha',
    deadlineSeconds: 600,
    // Each of them opens and ends streams; the kinds of calls are all among the first thousand.
    env: { TRANSPORT_RUNS: '1000' },
    onNewestNode: true,
  },
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
