import type { Outcome } from './order.ts';
import type { Scenario } from './scenario.ts';
import type { Name } from './services.ts';

/** Of what the Go service can do at most in the scenario. */
export const SHARES = [0.3, 0.5, 0.7] as const;

/** What one round found of one service in one scenario. */
export interface Round {
  /** As many calls as it takes. */
  readonly peak: Outcome;
  /** One for each of SHARES. */
  readonly atRates: readonly { readonly perSecond: number; readonly outcome: Outcome }[];
}

export type Rounds = Readonly<Record<Name, readonly Round[]>>;

/** Medians of the rounds. */
export interface Figures {
  readonly decisionsPerSecond: number;
  readonly cpuUs: number;
  readonly redisCpuUs: number;
  /** How much of core 0 the service used at its peak, and of core 1 Redis and the loader together. */
  readonly busy: number;
  readonly loadersBusy: number;
  readonly atRates: readonly RateFigures[];
  /** Of all rounds, calls without the right answer. */
  readonly failed: number;
}

export interface RateFigures {
  readonly share: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** The loader's own lateness, which is in the three above. */
  readonly lagP50Us: number;
  readonly lagP99Us: number;
}

export type Compared = Scenario & Readonly<Record<Name, Figures>>;

export function figuresOf(rounds: readonly Round[]): Figures {
  const of = (value: (round: Round) => number): number => median(rounds.map(value));
  return {
    decisionsPerSecond: Math.round(of(({ peak }) => peak.answered / peak.seconds)),
    cpuUs: tenth(of(({ peak }) => peak.cpuUs.server ?? Number.NaN)),
    redisCpuUs: tenth(of(({ peak }) => peak.cpuUs.redis ?? Number.NaN)),
    busy: hundredth(of(({ peak }) => peak.busy.server ?? Number.NaN)),
    loadersBusy: hundredth(of(({ peak }) => (peak.busy.redis ?? Number.NaN) + (peak.busy.loader ?? Number.NaN))),
    atRates: SHARES.map((share, i) => {
      const at = (value: (outcome: Outcome) => number): number => of(({ atRates }) => value(atRates[i]!.outcome));
      return {
        share,
        perSecond: Math.round(of(({ atRates }) => atRates[i]!.perSecond)),
        cpuUs: tenth(at(({ cpuUs }) => cpuUs.server ?? Number.NaN)),
        p50Us: at(({ latency }) => latency.p50Us),
        p99Us: at(({ latency }) => latency.p99Us),
        p999Us: at(({ latency }) => latency.p999Us),
        lagP50Us: at(({ lag }) => lag.p50Us),
        lagP99Us: at(({ lag }) => lag.p99Us),
      };
    }),
    failed: rounds.reduce(
      (sum, { peak, atRates }) => sum + [peak, ...atRates.map(({ outcome }) => outcome)].reduce(failures, 0),
      0,
    ),
  };
}

/** What the figures must be, and where they are not. */
export const MOST_OF_CPU = 1 / 8;
const MOST_OF_LATENCY = 1.1;
const MOST_MORE_US = 200;

export function cpuShare({ go, weir }: Compared): number {
  return weir.cpuUs / go.cpuUs;
}

/** Not above by more than 10 %, or by no more than 0.2 ms. */
export function isWithin(weirUs: number, goUs: number): boolean {
  return weirUs <= goUs * MOST_OF_LATENCY || weirUs <= goUs + MOST_MORE_US;
}

const failures = (sum: number, { failed }: Outcome): number => sum + failed;
const tenth = (value: number): number => Math.round(value * 10) / 10;
const hundredth = (value: number): number => Math.round(value * 100) / 100;

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
