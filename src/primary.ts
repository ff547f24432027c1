import type { App } from './app.ts';
import { systemClock } from './clock.ts';
import { redisInWords, workersRefusal } from './counting.ts';
import { prepare } from './grpc/listening.ts';
import { grpcPlace } from './grpc-door.ts';
import type { Scrapable } from './http/exposition-handler.ts';
import { thisProcess } from './http/profiles.ts';
import { rulesHistory } from './http/rules-history.ts';
import { addressesOf, historian, logOf, metricsOf, observingDoors } from './observing.ts';
import { parts } from './parts.ts';
import { rulesLoading } from './rules-loading.ts';
import { rulesPlace } from './rules-place.ts';
import type { ReadSettings } from './settings/read-settings.ts';
import { sinks } from './sinks.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { observers } from './telemetry/observers.ts';
import type { Stat } from './telemetry/stats.ts';
import { exposed, remains, summed, toldBy } from './telemetry/summed.ts';
import { type Crew, crew } from './workers/crew.ts';
import type { Report } from './workers/messages.ts';

/** How long a worker may take for what is not its calls in flight; then it is killed. */
const CLOSE_TIMEOUT_MS = 15_000;

/**
 * The composition root of the process that stands over several workers: it starts them, reads the rules for all of them,
 * and shows on the ports for those who look what they tell together. It decides nothing, and the ports of callers are the
 * workers'. Throws an Error with a sentence when the settings do not fit together.
 */
export function primary(read: ReadSettings): App {
  const { settings } = read;
  const refused = workersRefusal(settings);
  if (refused !== null) throw new Error(refused);
  const told = logOf(settings);
  const measured = metricsOf(read, told, { tellsRules: true });
  const history = rulesHistory(systemClock());
  const observer = observers([measured, told, historian(history, () => workers.tellRules())]);
  const loader = rulesLoading(read, { measured, told, observer });
  const pages = pagesOf(measured, () => workers);
  const workers = crew({
    count: settings.workers,
    news: history,
    stopTimeoutMs: settings.drainDelayMs + settings.drainTimeoutMs + CLOSE_TIMEOUT_MS,
    page: () =>
      pages.metrics.metrics().catch((error: unknown) => {
        told.bug(error);
        return null;
      }),
    onLast: pages.keep,
    onEnded({ id, pid }, how, waitMs) {
      told.logger.error({ worker: id, pid, waitMs }, 'a worker has ended and is started again: %s', how);
    },
    onHung: ({ id, pid }) => told.logger.error({ worker: id, pid }, 'a worker answers nothing any more, and is killed'),
  });
  measured.read({ workers: workers.numbers });

  const doors = observingDoors(settings, {
    history,
    metrics: pages.metrics,
    fieldMetrics: pages.fieldMetrics,
    told,
    onBug: told.bug,
    profiled: (worker) => (worker === 0 ? thisProcess : workers.find(worker)),
  });
  const receivers = sinks(
    read,
    { ...measured, stats: () => withGauges(measured, workers.lastReports('gauges')) },
    told,
  );
  const everything = parts([...receivers, ...Object.values(doors), loader], {
    stopTimeoutMs: settings.drainTimeoutMs,
    onStopFailed: (part, error) => told.logger.error({ part: part.name }, `${part.name}: ${error.message}`),
  });

  let stopping: Promise<void> | null = null;

  async function start(): Promise<void> {
    await prepare(grpcPlace(settings));
    if (stopping !== null) return;
    // Their ports are open while the rules are read, as those of one process are.
    await Promise.all([workers.start(), everything.start()]);
  }

  async function drain(): Promise<void> {
    await workers.stop();
    await everything.stop();
    await told.close();
  }

  return {
    start,
    stop() {
      stopping ??= drain();
      return stopping;
    },
    broken: workers.broken,
    addresses: () => ({ ...workers.addresses(), ...addressesOf(doors) }),
    rules: history,
    places: { rules: rulesPlace(read).from, counting: redisInWords(settings) },
    log: told,
  };
}

interface Pages {
  readonly metrics: Scrapable;
  readonly fieldMetrics: Scrapable;
  /** Of a worker that has ended. */
  readonly keep: (last: Partial<Report>) => void;
}

/** What the primary and all workers tell, those that have ended included. */
function pagesOf(measured: Metrics, workers: () => Crew): Pages {
  function page(registry: Metrics['registry'], of: 'metrics' | 'field'): Scrapable & Pick<Pages, 'keep'> {
    const left = remains();
    return {
      contentType: registry.contentType,
      async metrics() {
        const [mine, theirs] = [await toldBy(registry, measured.tags), await workers().reports(of)];
        // Taken now: who has ended since it was asked is among those that are kept.
        return exposed(summed([mine, ...theirs, left.told]));
      },
      keep: (last) => left.add(last[of] ?? []),
    };
  }

  const metrics = page(measured.registry, 'metrics');
  const fieldMetrics = page(measured.fieldRegistry, 'field');
  return {
    metrics,
    fieldMetrics,
    keep(last) {
      metrics.keep(last);
      fieldMetrics.keep(last);
    },
  };
}

/** Counters of the primary's own, such as loads of rules, and the gauges of all workers, as they told them last, added up. */
function* withGauges({ stats }: Metrics, theirs: readonly Report['gauges'][]): Generator<Stat> {
  for (const stat of stats()) if (stat.kind !== 'gauge') yield stat;
  const sums = new Map<string, number>();
  for (const gauges of theirs) {
    for (const stat of gauges) {
      if (stat.kind === 'gauge') sums.set(stat.name, (sums.get(stat.name) ?? 0) + stat.value);
    }
  }
  for (const [name, value] of sums) yield { kind: 'gauge', name, value };
}
