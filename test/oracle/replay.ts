import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { expectations, loadDifferences } from './differences.ts';
import { runCase } from './run-case.ts';
import { type Bed, runGroup } from './run-group.ts';
import { recordings, type Scenario } from './scenario.ts';
import { tally } from './tally.ts';

const USAGE = `Replays the recorded answers of the Go service against weir.

  npx tsx test/oracle/replay.ts [--store redis|memory] [--only ID,ID] [--server CMD] [--jobs N] [--strict] [--verbose]

--only     scenarios whose id starts so, such as c18
--server   another command line to start, with the same environment
--strict   without test/differences.json: what the Go service itself must answer
--verbose  every difference on a line of its own
`;

const { values: options } = parseArgs({
  options: {
    store: { type: 'string', default: 'redis' },
    only: { type: 'string' },
    server: {
      type: 'string',
      default: `${process.execPath} ${fileURLToPath(new URL('../../dist/main.js', import.meta.url))} serve`,
    },
    jobs: { type: 'string', default: '2' },
    strict: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || (options.store !== 'redis' && options.store !== 'memory')) {
  console.error(USAGE);
  process.exit(options.help ? 0 : 2);
}

const inMemory = options.store === 'memory';
const prefixes = options.only?.split(',');
const isWanted = ({ id }: { id: string }) => !prefixes || prefixes.some((prefix) => id.startsWith(prefix));
const looksIntoRedis = (s: Scenario) => s.ownRedis || s.steps.some((step) => step.seed ?? step.redis);

const { scenarios, cases } = recordings();
const chosen = scenarios.filter(isWanted).filter((s) => !(inMemory && looksIntoRedis(s)));
const redis: OwnRedis | null = inMemory ? null : await ownRedis();
const counted = tally({ verbose: options.verbose });
const bed: Bed = {
  command: options.server,
  redis,
  expect: expectations(options.strict ? [] : loadDifferences()),
  tally: counted,
};

const tasks = [
  ...groups(chosen).map((group) => () => runGroup(group, bed)),
  // What a rule file is worth does not depend on the store.
  ...(inMemory ? [] : cases.filter(isWanted).map((it) => () => runCase(it, bed))),
];
const worker = async () => {
  for (let task = tasks.shift(); task; task = tasks.shift()) await task();
};
await Promise.all(Array.from({ length: Number(options.jobs) }, worker));
await redis?.stop();

const { passed, failed, excused } = counted.counts;
if (passed + failed + excused === 0) console.log('FAIL no recording has such an id');
console.log(`${passed} passed, ${failed} failed, ${excused} excused by differences.json`);
process.exit(failed > 0 || passed + excused === 0 ? 1 : 0);

/** Scenarios of one environment share a server. */
function groups(all: readonly Scenario[]): Scenario[][] {
  const byEnvironment = new Map<string, Scenario[]>();
  for (const s of all) {
    const key = s.alone ? s.id : JSON.stringify(Object.entries(s.env ?? {}).sort());
    byEnvironment.set(key, [...(byEnvironment.get(key) ?? []), s]);
  }
  return [...byEnvironment.values()];
}
