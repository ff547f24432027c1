import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from './clock.ts';
import type { Clock, Observer, Part } from './core/ports.ts';
import { type ProjectionOptions, project } from './core/projection.ts';
import { type Counting, counting } from './counting.ts';
import { type Health as GrpcHealth, health as grpcHealth, HEALTH_CHECK, HEALTH_WATCH } from './grpc/health.ts';
import { reflection } from './grpc/reflection.ts';
import { type GrpcServer, grpcServer } from './grpc/server.ts';
import { SHOULD_RATE_LIMIT, shouldRateLimit } from './grpc/should-rate-limit.ts';
import { type GrpcTls, grpcBounds, grpcPlace, grpcTls, tellTls } from './grpc-door.ts';
import { expositionHandler } from './http/exposition-handler.ts';
import { type Health, health } from './http/health.ts';
import { jsonHandler } from './http/json.ts';
import { thisProcess } from './http/profiles.ts';
import { type RulesHistory, rulesHistory } from './http/rules-history.ts';
import { type HttpServer, httpServer } from './http/server.ts';
import { type Limiter, limiter } from './limiter.ts';
import { limiterOptions } from './limiter-options.ts';
import { addressesOf, historian, logOf, metricsOf, observingDoors } from './observing.ts';
import { parts } from './parts.ts';
import type { RulesLoader } from './rules/loader.ts';
import { rulesLoading } from './rules-loading.ts';
import { rulesPlace } from './rules-place.ts';
import type { ReadSettings } from './settings/read-settings.ts';
import type { Settings } from './settings/settings.ts';
import { sinksOn } from './settings/sinks-on.ts';
import { valueHash } from './settings/value-hash.ts';
import { sinks } from './sinks.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { observers } from './telemetry/observers.ts';
import { toldBy } from './telemetry/summed.ts';
import { tracingOf } from './tracing.ts';
import type { Report, ReportPart } from './workers/messages.ts';
import type { Role } from './workers/role.ts';

export interface App {
  /** Resolves when every port is open; rules may be refused and Redis away. */
  start(): Promise<void>;
  /** Drains: says NOT_SERVING, lets calls in flight finish, then closes everything. The same promise each time. */
  stop(): Promise<void>;
  /** `host:port` of each door that is open: grpc, http, admin, and prometheus if it was asked for. grpc: or `unix:path`. */
  addresses(): Readonly<Record<string, string>>;
  readonly rules: RulesHistory;
  /** Resolves with the reason when it can't go on; absent where nothing but itself would end it. */
  readonly broken?: Promise<Error>;
  /** Where rules come from and hits are counted, in words. */
  readonly places: { readonly rules: string; readonly counting: string };
  readonly log: Log;
}

/** How long closing may take when the calls in flight are done. */
const CLOSE_TIMEOUT_MS = 5_000;
/** How long a worker that takes another's place waits for its store, while others serve. */
const FIRST_ANSWER_MS = 1_000;

/**
 * The composition root: settings to parts. With a role it is one of several workers: the primary reads the rules, and shows
 * what all of them tell. Throws an Error with a sentence when the settings do not fit together.
 */
export function app(read: ReadSettings, role: Role | null = null): App {
  const { settings } = read;
  const clock = systemClock();
  const told = logOf(settings, role?.id);
  const measured = metricsOf(read, told, { tellsRules: role === null });
  const receivers = sinks(read, role === null ? measured : { ...measured, stats: () => withoutGauges(measured) }, told);
  const history = rulesHistory(clock);
  let healthy = false;
  const tellHealth = (): void => doors.grpcHealth.set(healthy && history.state() === 'loaded');
  const noted = historian(history, () => void doctor.refresh().then(tellHealth));
  const observer = observers([measured, told, noted]);
  const hashValue = valueHash(settings);
  const loader =
    role === null ? rulesLoading(read, { measured, told, observer }) : role.rules(observers([measured, noted]));
  const traced = tracingOf(settings, measured, told);
  const counted = counting(settings, measured, told, traced);
  const deciding = deciderOf(settings, loader, counted, clock, observer, hashValue ?? neverHashes);
  const decider = traced === null ? deciding : traced.decider(deciding);
  measured.read({ inFlight: decider.inFlight, storeKind: counted.kind });

  let isServing = false;
  const doctor = doctorOf(settings, history, loader, counted, () => isServing);
  const tls = grpcTls(settings, measured, told);
  const doors = doorsOf(settings, { tls, decider, doctor, history, measured, told, observer, role });
  // A caller that is told SERVING will get decisions, so there must be rules, whatever /healthcheck makes of it.
  doctor.listen((now) => {
    healthy = now;
    tellHealth();
  });

  const { grpc, http } = doors;
  const secrets = tls === undefined ? [] : [tls.certificates];
  role?.reports((of) =>
    reportOf(settings, measured, of, { isSent: receivers.length > 0 }).catch((error: unknown) => {
      measured.bug();
      told.bug(error);
      return {};
    }),
  );
  if (settings.debugProfiles) role?.profiles(thisProcess.profile);
  const serving = [...secrets, ...Object.values(http), grpc];
  const inOrder = [
    ...(traced === null ? [] : [traced]),
    ...receivers,
    ...counted.parts,
    // Callers of a worker that comes later would go to others, so it has what it needs before it opens its doors.
    ...(role?.isReplacement === true ? [loader, firstAnswer(counted), ...serving] : [...serving, loader]),
    doctor,
  ];
  const everything = parts(inOrder, {
    stopTimeoutMs: settings.drainTimeoutMs + CLOSE_TIMEOUT_MS,
    onStopFailed: (part, error) => told.logger.error({ part: part.name }, `${part.name}: ${error.message}`),
  });

  let stopping: Promise<void> | null = null;

  async function start(): Promise<void> {
    if (role === null || role.id === 1) tellTls(settings, tls, told);
    await everything.start();
    if (stopping !== null) return;
    isServing = true;
    await doctor.refresh();
  }

  async function drain(): Promise<void> {
    // Nobody was told to come yet when the start failed.
    const delayMs = isServing ? settings.drainDelayMs : 0;
    isServing = false;
    await doctor.refresh();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    await everything.stop();
    await told.close();
  }

  return {
    start,
    stop() {
      stopping ??= drain();
      return stopping;
    },
    addresses: () => {
      const target = grpc.target();
      return { ...(target === null ? {} : { grpc: target }), ...addressesOf(http) };
    },
    rules: history,
    places: { rules: rulesPlace(read).from, counting: counted.where },
    log: told,
  };
}

function deciderOf(
  settings: Settings,
  loader: RulesLoader,
  { store }: Counting,
  clock: Clock,
  observer: Observer,
  hashValue: (value: string) => string,
): Limiter {
  return limiter({ ruleset: loader.current, store, clock, observer }, limiterOptions(settings, hashValue));
}

/** Of these a receiver takes one value, so the primary adds up those of all workers. */
function* withoutGauges({ stats }: Metrics): ReturnType<Metrics['stats']> {
  for (const stat of stats()) if (stat.kind !== 'gauge') yield stat;
}

async function reportOf(
  settings: Settings,
  measured: Metrics,
  of: ReportPart,
  { isSent }: { readonly isSent: boolean },
): Promise<Partial<Report>> {
  const { registry, fieldRegistry, tags } = measured;
  const asked = (part: ReportPart): boolean => of === 'all' || of === part;
  const metrics = asked('metrics') && { metrics: await toldBy(registry, tags) };
  // Between the two, calls have their turn.
  if (of === 'all') await nextTurn();
  return {
    ...metrics,
    ...(asked('field') && sinksOn(settings).prometheus && { field: await toldBy(fieldRegistry, tags) }),
    ...(of === 'all' && isSent && { gauges: [...measured.stats()].filter(({ kind }) => kind === 'gauge') }),
  };
}

/** Resolves when the store has answered once, and soon in any case. */
function firstAnswer({ everAnswered }: Counting): Part {
  const TRY_AGAIN_MS = 10;
  return {
    name: 'first answer of the store',
    async start() {
      const endMs = performance.now() + FIRST_ANSWER_MS;
      while (!everAnswered() && performance.now() < endMs) await new Promise((done) => setTimeout(done, TRY_AGAIN_MS));
    },
    async stop() {},
  };
}

/** Without a secret, rules that hash are refused. */
function neverHashes(): never {
  throw new Error('a rule hashes, and there is no secret');
}

function doctorOf(
  settings: Settings,
  history: RulesHistory,
  loader: RulesLoader,
  counted: Counting,
  serving: () => boolean,
): Health {
  return health(
    {
      rules: history.state,
      domainCount: () => loader.current()?.domains.size ?? 0,
      storeEverAnswered: counted.everAnswered,
      storeReachableNow: counted.reachableNow,
      draining: () => !serving(),
    },
    {
      forceStart: settings.forceStart,
      needsDomain: settings.healthyWithConfig,
      activeConnection: settings.redisHealthCheck,
    },
  );
}

interface Behind {
  readonly tls: GrpcTls | undefined;
  readonly decider: Limiter;
  readonly doctor: Health;
  readonly history: RulesHistory;
  readonly measured: Metrics;
  readonly told: Log;
  readonly observer: Observer;
  readonly role: Role | null;
}

interface Doors {
  readonly grpc: GrpcServer;
  readonly grpcHealth: GrpcHealth;
  readonly http: Readonly<Record<string, HttpServer>>;
}

function doorsOf(settings: Settings, behind: Behind): Doors {
  const { tls, decider, doctor, history, measured, told, observer, role } = behind;
  const onBug = (error: unknown): void => {
    measured.bug();
    told.bug(error);
  };
  const onCall = (method: string, _code: number, tookMs: number): void => measured.called(method, tookMs * 1_000);
  const options = projectionOptions(settings);
  const answering = {
    limiter: decider,
    project: (decision: Parameters<typeof project>[0]) => project(decision, options),
    bounds: settings,
    onBug,
    onCall,
    onUnreadable: (error: Error) => observer.requestRefused(null, error),
  };
  const healthService = grpcHealth({ onCall });
  const { registry, fieldRegistry: fieldMetrics } = measured;
  const page = role === null ? registry : { contentType: registry.contentType, metrics: role.metrics };
  const grpc = grpcServer({
    transport: settings.grpcTransport,
    place: grpcPlace(settings, { isPrepared: role !== null }),
    tls,
    handlers: { [SHOULD_RATE_LIMIT]: shouldRateLimit(answering), [HEALTH_CHECK]: healthService.check },
    streams: { [HEALTH_WATCH]: healthService.watch, ...reflection() },
    health: healthService,
    ...grpcBounds(settings),
    onConnectionFailed(error, peer) {
      // What a stranger does to a port is no news; an error of ours is.
      if (error.name === 'ConnectionError') told.logger.debug({ peer }, `gRPC connection ended: ${error.message}`);
      else onBug(error);
    },
  });
  measured.read({ grpc: grpc.numbers });
  const http: Record<string, HttpServer> = {
    http: httpServer({
      name: 'http',
      host: settings.host,
      port: settings.port,
      routes: { '/json': jsonHandler(answering), ...doctor.routes, '/metrics': expositionHandler(page) },
      maxBodyBytes: settings.maxMessageBytes,
      stopTimeoutMs: settings.drainTimeoutMs,
      onError: onBug,
    }),
  };
  if (role === null) {
    Object.assign(http, observingDoors(settings, { history, metrics: registry, fieldMetrics, told, onBug }));
  }
  return { grpc, grpcHealth: healthService, http };
}

function projectionOptions(settings: Settings): ProjectionOptions {
  const { headersEnabled, limitHeader: limit, remainingHeader: remaining, resetHeader: reset } = settings;
  return {
    headerNames: headersEnabled ? { limit, remaining, reset } : null,
    retryAfterName: settings.retryAfterHeader,
    dynamicMetadata: settings.dynamicMetadata,
  };
}
