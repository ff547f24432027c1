import type { Observer } from './core/ports.ts';
import { admin } from './http/admin.ts';
import { bearer } from './http/bearer.ts';
import { expositionHandler, type Scrapable } from './http/exposition-handler.ts';
import { type Profiled, profiles } from './http/profiles.ts';
import type { RulesHistory } from './http/rules-history.ts';
import { type HttpServer, httpServer } from './http/server.ts';
import { formatProblem } from './rules/problem.ts';
import type { ReadSettings } from './settings/read-settings.ts';
import { SETTINGS, type Settings } from './settings/settings.ts';
import { sinksOn } from './settings/sinks-on.ts';
import { fieldMapper } from './sinks.ts';
import { type Log, log } from './telemetry/log.ts';
import { type Metrics, metrics } from './telemetry/metrics.ts';
import { VERSION } from './version.ts';

/** Nothing that is read on the admin port is worth waiting for, such as a profile of a minute. */
const ADMIN_STOP_TIMEOUT_MS = 1_000;

export function logOf(settings: Settings, worker?: number): Log {
  return log({ level: settings.logLevel, format: settings.logFormat, formatProblem, worker });
}

/** Throws an Error with a sentence when the mapping file does not serve. */
export function metricsOf({ settings }: ReadSettings, told: Log, { tellsRules }: { tellsRules: boolean }): Metrics {
  return metrics({
    ...settings,
    version: VERSION,
    tellsRules,
    mapper: fieldMapper(settings.prometheusMapper, told),
    onConflict: (name) => told.trouble('mapping', 'two kinds of metrics are mapped to one name', { name }),
  });
}

/** Remembers what became of the rules, for /rules and for health. */
export function historian(history: RulesHistory, changed: () => void): Observer {
  return {
    decided() {},
    storeFailed() {},
    requestRefused() {},
    rulesLoaded(report) {
      history.rulesLoaded(report);
      changed();
    },
  };
}

export interface Observed {
  readonly history: RulesHistory;
  readonly metrics: Scrapable;
  readonly fieldMetrics: Scrapable;
  readonly told: Log;
  readonly onBug: (error: unknown) => void;
  /** By number, when there are workers; see `profiles`. */
  readonly profiled?: (worker: number | null) => Profiled | null;
}

/** The ports for those who look: admin, and prometheus if it was asked for. */
export function observingDoors(settings: Settings, seen: Observed): Readonly<Record<string, HttpServer>> {
  const { onBug: onError } = seen;
  const doors: Record<string, HttpServer> = {
    admin: httpServer({
      name: 'admin',
      host: settings.debugHost,
      port: settings.debugPort,
      ...admin({
        rules: seen.history,
        metrics: seen.metrics,
        profiles: profiles(settings.debugProfiles, seen.profiled),
        guard: adminGuard(settings, seen.told),
        format: formatProblem,
      }),
      stopTimeoutMs: ADMIN_STOP_TIMEOUT_MS,
      onError,
    }),
  };
  if (sinksOn(settings).prometheus) {
    const routes = { [settings.prometheusPath]: expositionHandler(seen.fieldMetrics) };
    doors.prometheus = httpServer({ name: 'prometheus', ...settings.prometheusAddr, routes, onError });
  }
  return doors;
}

function adminGuard({ adminTokenFile }: Settings, { trouble }: Log): ReturnType<typeof bearer> | undefined {
  if (adminTokenFile === null) return undefined;
  const name = SETTINGS.adminTokenFile.env;
  try {
    return bearer({
      file: adminTokenFile,
      onTrouble: (because) => trouble('admin token', `nobody is let in to the admin port: ${name}`, { cause: because }),
    });
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`);
  }
}

/** `host:port` of each that is open. */
export function addressesOf(doors: Readonly<Record<string, HttpServer>>): Readonly<Record<string, string>> {
  const bound: Record<string, string> = {};
  for (const [name, door] of Object.entries(doors)) {
    const address = door.address();
    if (address === null) continue;
    const host = address.address;
    bound[name] = `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }
  return bound;
}
