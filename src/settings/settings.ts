import { CONNECTIONS } from './groups/connections.ts';
import { CONNECTIONS_ON_WIRE } from './groups/connections-on-wire.ts';
import { DECISIONS } from './groups/decisions.ts';
import { METRICS_SINKS } from './groups/metrics-sinks.ts';
import { PORTS } from './groups/ports.ts';
import { PROCESSES } from './groups/processes.ts';
import { REDIS } from './groups/redis.ts';
import { REQUESTS } from './groups/requests.ts';
import { RULES } from './groups/rules.ts';
import { RULES_OVER_XDS } from './groups/rules-over-xds.ts';
import { STOPPING } from './groups/stopping.ts';
import { STORE } from './groups/store.ts';
import { TELEMETRY } from './groups/telemetry.ts';
import { TLS } from './groups/tls.ts';
import { TRACING } from './groups/tracing.ts';
import type { Setting } from './setting.ts';

/** Every setting there is: what --help prints, what the table of docs/settings.md shows, what the service reads. */
export const SETTINGS = {
  ...PORTS,
  ...CONNECTIONS,
  ...CONNECTIONS_ON_WIRE,
  ...TLS,
  ...RULES,
  ...RULES_OVER_XDS,
  ...STORE,
  ...REDIS,
  ...DECISIONS,
  ...REQUESTS,
  ...TELEMETRY,
  ...METRICS_SINKS,
  ...TRACING,
  ...PROCESSES,
  ...STOPPING,
} as const;

export type Table = typeof SETTINGS;
export type Settings = { readonly [K in keyof Table]: ReturnType<Table[K]['parse']> };

/** Every setting with its name in code, in the order of the table. */
export const ENTRIES = Object.entries(SETTINGS) as unknown as readonly (readonly [keyof Table, Setting<unknown>])[];
