import type { LimiterOptions } from './limiter.ts';
import type { Settings } from './settings/settings.ts';

/** What the settings make of decisions, for the service and for the cases that rules are held against. */
export function limiterOptions(settings: Settings, hashValue: (value: string) => string): LimiterOptions {
  const { keyPrefix, keyFormat, countDenied, shadowMode, quotaMode } = settings;
  const charge = settings.stopWhenOver ? 'stop_when_over' : 'always';
  return { keyPrefix, keyFormat, hashValue, countDenied, charge, shadowMode, quotaMode };
}
