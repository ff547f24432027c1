import type { Settings } from './settings.ts';

/** Who is told metrics beside those who ask for /metrics, which is there in any case. */
export interface SinksOn {
  /** PROMETHEUS_ADDR. */
  readonly prometheus: boolean;
  readonly statsd: boolean;
  readonly dogStatsd: boolean;
}

export type SinksAsked = Pick<Settings, 'disableStats' | 'usePrometheus' | 'useStatsd' | 'useDogStatsd'>;

/** DISABLE_STATS beats all that ask for one. */
export function sinksOn({ disableStats, usePrometheus, useStatsd, useDogStatsd }: SinksAsked): SinksOn {
  const allowed = !disableStats;
  return { prometheus: allowed && usePrometheus, statsd: allowed && useStatsd, dogStatsd: allowed && useDogStatsd };
}
