import { type Compared, cpuShare, type Figures, isWithin, MOST_OF_CPU, type RateFigures, SHARES } from './results.ts';

export interface Made {
  readonly commit: string;
  readonly date: string;
  readonly node: string;
  readonly machine: string;
  /** Version of the module. */
  readonly goService: string;
  readonly redis: string;
  readonly rounds: number;
  readonly seconds: number;
  /** What h2load says of one hot key, one descriptor, allowed: decisions a second and microseconds of CPU. */
  readonly h2load: Readonly<Record<'go' | 'weir', { readonly perSecond: number; readonly cpuUs: number }>>;
}

export interface Comparison extends Made {
  readonly scenarios: readonly Compared[];
}

export function reportOf(comparison: Comparison): string {
  const { commit, date, node, machine, goService, redis, rounds, seconds, scenarios, h2load } = comparison;
  return `# weir beside the Go service

Made by \`make bench-peers\`. Commit ${commit}, ${date}, Node ${node}, ${machine}, Redis ${redis}.
The Go service is github.com/envoyproxy/ratelimit ${goService}.

Both services run on core 0, in turn, with the same rules, the same Redis and the same environment, and what that does not
name is each one's default: neither answers from a local cache, so every call asks Redis; the Go service has a pool of ten
connections to it, weir one. Redis and the loader are on core 1, where Redis goes first. The loader is one process for
both: 8 connections that say what Envoy's do. ${rounds} alternating rounds of ${seconds} s for each figure, medians.

## What is asked of weir

${verdicts(scenarios).join('\n')}

## As many calls as they take

256 calls in flight. CPU is the time of all threads of the service, as the kernel has it. For one hot key, one
descriptor, allowed, h2load counts ${h2load.go.perSecond} decisions a second of the Go service at ${h2load.go.cpuUs} us, and ${h2load.weir.perSecond} of weir at ${h2load.weir.cpuUs} us.
"Core 0": how much of it the service had; below 0.9 it was waiting for core 1, which Redis and the loader share.

| keys | descriptors | answer | Go: decisions/s | weir: decisions/s | times | Go: CPU us | weir: CPU us | of Go's | Redis CPU us, Go / weir | core 0, Go / weir |
|---|---|---|---|---|---|---|---|---|---|---|
${scenarios.map(peakRow).join('\n')}

## Latency at the same rates

Calls are due at random moments (exponential gaps), at ${SHARES.map((share) => `${share * 100} %`).join(', ')} of what the Go service takes in that
scenario and round, and each is measured from the moment when it was due, whether the loader was late or not. Times are in
milliseconds; "lag" is how late the loader was (p50 / p99, for Go and for weir), which is in the other columns.

| keys | descriptors | answer | calls/s | p50: Go | weir | p99: Go | weir | p99.9: Go | weir | CPU us: Go | weir | lag, Go | lag, weir |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
${scenarios.flatMap(rateRows).join('\n')}
`;
}

/** Of a core, that the Go service has at its peak when nobody else wants it. */
const QUIET = 0.8;

/** One line for each demand: met, or where it is not. */
function verdicts(scenarios: readonly Compared[]): readonly string[] {
  const shares = scenarios.map(cpuShare);
  const tooDear = scenarios.filter((each) => cpuShare(each) > MOST_OF_CPU);
  const cpu =
    `CPU per decision, when each has as many calls as it takes, at most 1/${1 / MOST_OF_CPU} of the Go service's: ` +
    `1/${(1 / Math.max(...shares)).toFixed(1)} to 1/${(1 / Math.min(...shares)).toFixed(1)}`;
  const failed = scenarios.reduce((sum, { go, weir }) => sum + go.failed + weir.failed, 0);
  // Nothing else on core 1 could keep it waiting, as Redis and the loader need little of that at the Go service's pace.
  const had = Math.max(...scenarios.map(({ go }) => go.busy));
  return [
    ...(had < QUIET ? [`- THE MACHINE WAS NOT QUIET: at its peak the Go service had ${had} of a core at most.`] : []),
    verdict(
      cpu,
      tooDear.map((each) => `${titleOf(each)}: 1/${(1 / cpuShare(each)).toFixed(1)}`),
    ),
    ...(['p50', 'p99'] as const).map((which) => latencyVerdict(which, scenarios)),
    ...(failed === 0 ? [] : [`- ${failed} calls had no answer or a wrong one.`]),
  ];
}

function latencyVerdict(which: 'p50' | 'p99', scenarios: readonly Compared[]): string {
  const key = `${which}Us` as const;
  const all = scenarios.flatMap((each) =>
    SHARES.map((share, i) => {
      const [go, weir] = [each.go.atRates[i]![key], each.weir.atRates[i]![key]];
      return { name: `${titleOf(each)} at ${share * 100} %`, go, weir, share: weir / go };
    }),
  );
  const above = all.filter(({ go, weir }) => !isWithin(weir, go));
  const most = all.reduce((a, b) => (a.share > b.share ? a : b));
  return verdict(
    `${which} not above the Go service's by more than 10 % or 0.2 ms: at most ${most.share.toFixed(2)} of it (${most.name}: ${ms(most.weir)} and ${ms(most.go)} ms)`,
    above.map(({ name, go, weir }) => `${name}: ${ms(weir)} ms, the Go service ${ms(go)} ms`),
  );
}

function verdict(what: string, notMet: readonly string[]): string {
  if (notMet.length === 0) return `- met: ${what}.`;
  return [`- NOT MET: ${what}. Not met in ${notMet.length}:`, ...notMet.map((each) => `  - ${each}`)].join('\n');
}

function titleOf({ keys, descriptors, answer }: Compared): string {
  return `${keysOf(keys)}, ${descriptors} descriptor${descriptors === 1 ? '' : 's'}, ${answer}`;
}

const keysOf = (keys: number): string => (keys === 1 ? 'one hot key' : '100,000 keys');
const ms = (us: number): string => (us / 1_000).toFixed(2);

function peakRow(each: Compared): string {
  const { keys, descriptors, answer, go, weir } = each;
  return row([
    keysOf(keys),
    descriptors,
    answer,
    go.decisionsPerSecond,
    weir.decisionsPerSecond,
    (weir.decisionsPerSecond / go.decisionsPerSecond).toFixed(1),
    go.cpuUs.toFixed(1),
    weir.cpuUs.toFixed(1),
    `1/${(1 / cpuShare(each)).toFixed(1)}`,
    both(go, weir, ({ redisCpuUs }) => redisCpuUs.toFixed(1)),
    both(go, weir, ({ busy }) => busy.toFixed(2)),
  ]);
}

function rateRows({ keys, descriptors, answer, go, weir }: Compared): readonly string[] {
  return go.atRates.map((ours, i) => {
    const theirs = weir.atRates[i]!;
    const pair = (of: (figures: RateFigures) => string): readonly string[] => [of(ours), of(theirs)];
    return row([
      keysOf(keys),
      descriptors,
      answer,
      `${ours.perSecond} (${ours.share * 100} %)`,
      ...pair(({ p50Us }) => ms(p50Us)),
      ...pair(({ p99Us }) => ms(p99Us)),
      ...pair(({ p999Us }) => ms(p999Us)),
      ...pair(({ cpuUs }) => cpuUs.toFixed(1)),
      ...pair(({ lagP50Us, lagP99Us }) => `${ms(lagP50Us)} / ${ms(lagP99Us)}`),
    ]);
  });
}

const both = (go: Figures, weir: Figures, of: (figures: Figures) => string): string => `${of(go)} / ${of(weir)}`;
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
