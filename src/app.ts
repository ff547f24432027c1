import { systemClock } from './clock.ts';
import type { Clock, Observer } from './core/ports.ts';
import { type ProjectionOptions, project } from './core/projection.ts';
import { type Counting, counting } from './counting.ts';
import { type Health as GrpcHealth, health as grpcHealth, HEALTH_CHECK, HEALTH_WATCH } from './grpc/health.ts';
import { reflection } from './grpc/reflection.ts';
import type { Tls } from './grpc/secure-server.ts';
import { type GrpcServer, grpcServer } from './grpc/server.ts';
import { SHOULD_RATE_LIMIT, shouldRateLimit } from './grpc/should-rate-limit.ts';
import { grpcBounds, grpcPlace, grpcTls, tellTls } from './grpc-door.ts';
import { admin } from './http/admin.ts';
import { bearer } from './http/bearer.ts';
import { expositionHandler } from './http/exposition-handler.ts';
import { type Health, health } from './http/health.ts';
import { jsonHandler } from './http/json.ts';
import { profiles } from './http/profiles.ts';
import { type RulesHistory, rulesHistory } from './http/rules-history.ts';
import { type HttpServer, httpServer } from './http/server.ts';
import { type Limiter, limiter } from './limiter.ts';
import { limiterOptions } from './limiter-options.ts';
import { parts } from './parts.ts';
import type { ReadSettings } from './read-settings.ts';
import { fileSource } from './rules/file-source.ts';
import { type RulesLoader, rulesLoader } from './rules/loader.ts';
import { formatProblem } from './rules/problem.ts';
import { rulesOverXds } from './rules-over-xds.ts';
import { rulesPlace } from './rules-place.ts';
import { SETTINGS, type Settings } from './settings.ts';
import { fieldMapper, sinks } from './sinks.ts';
import { type Log, log } from './telemetry/log.ts';
import { type Metrics, metrics } from './telemetry/metrics.ts';
import { observers } from './telemetry/observers.ts';
import { tracingOf } from './tracing.ts';
import { valueHash } from './value-hash.ts';
import { VERSION } from './version.ts';

export interface App {
  /** Resolves when every port is open; rules may be refused and Redis away. */
  start(): Promise<void>;
  /** Drains: says NOT_SERVING, lets calls in flight finish, then closes everything. The same promise each time. */
  stop(): Promise<void>;
  /** `host:port` of each door that is open: grpc, http, admin, and prometheus if it was asked for. grpc: or `unix:path`. */
  addresses(): Readonly<Record<string, string>>;
  readonly rules: RulesHistory;
  /** Where rules come from and hits are counted, in words. */
  readonly places: { readonly rules: string; readonly counting: string };
  readonly log: Log;
}

/** How long closing may take when the calls in flight are done. */
const CLOSE_TIMEOUT_MS = 5_000;
/** Nothing that is read on the admin port is worth waiting for, such as a profile of a minute. */
const ADMIN_STOP_TIMEOUT_MS = 1_000;

/** The composition root: settings to parts. Throws an Error with a sentence when the settings do not fit together. */
export function app(read: ReadSettings): App {
  const { settings } = read;
  const clock = systemClock();
  const told = log({ level: settings.logLevel, format: settings.logFormat, formatProblem });
  const measured = metrics({
    ...settings,
    version: VERSION,
    mapper: fieldMapper(settings.prometheusMapper, told),
    onConflict: (name) => told.trouble('mapping', 'two kinds of metrics are mapped to one name', { name }),
  });
  const receivers = sinks(read, measured, told);
  const history = rulesHistory(clock);
  let healthy = false;
  const tellHealth = (): void => doors.grpcHealth.set(healthy && history.state() === 'loaded');
  const observer = observers([measured, told, historian(history, () => void doctor.refresh().then(tellHealth))]);
  const place = rulesPlace(read);
  const source = place.files === null ? rulesOverXds(settings, measured, told) : fileSource(place.files);
  const hashValue = valueHash(settings);
  const loader = rulesLoader({
    source,
    mergeDomains: settings.mergeDomains,
    canHash: hashValue !== null,
    observer,
  });
  const traced = tracingOf(settings, measured, told);
  const counted = counting(settings, measured, told, traced);
  const deciding = deciderOf(settings, loader, counted, clock, observer, hashValue ?? neverHashes);
  const decider = traced === null ? deciding : traced.decider(deciding);
  measured.read({ inFlight: decider.inFlight, storeKind: counted.kind });

  let serving = false;
  const doctor = doctorOf(settings, history, loader, counted, () => serving);
  const tls = grpcTls(settings, measured, told);
  const doors = doorsOf(settings, { tls, decider, doctor, history, measured, told, observer });
  // A caller that is told SERVING will get decisions, so there must be rules, whatever /healthcheck makes of it.
  doctor.listen((now) => {
    healthy = now;
    tellHealth();
  });

  const { grpc, http } = doors;
  const secrets = tls === undefined ? [] : [tls.certificates];
  const inOrder = [
    ...(traced === null ? [] : [traced]),
    ...receivers,
    ...counted.parts,
    ...secrets,
    ...Object.values(http),
    grpc,
    loader,
    doctor,
  ];
  const everything = parts(inOrder, {
    stopTimeoutMs: settings.drainTimeoutMs + CLOSE_TIMEOUT_MS,
    onStopFailed: (part, error) => told.logger.error({ part: part.name }, `${part.name}: ${error.message}`),
  });

  async function start(): Promise<void> {
    tellTls(settings, tls, told);
    await everything.start();
    serving = true;
    await doctor.refresh();
  }

  let stopping: Promise<void> | null = null;
  async function drain(): Promise<void> {
    // Nobody was told to come yet when the start failed.
    const delayMs = serving ? settings.drainDelayMs : 0;
    serving = false;
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
    addresses: () => addressesOf(grpc, http),
    rules: history,
    places: { rules: place.from, counting: counted.where },
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
  readonly tls: Tls | undefined;
  readonly decider: Limiter;
  readonly doctor: Health;
  readonly history: RulesHistory;
  readonly measured: Metrics;
  readonly told: Log;
  readonly observer: Observer;
}

interface Doors {
  readonly grpc: GrpcServer;
  readonly grpcHealth: GrpcHealth;
  readonly http: Readonly<Record<string, HttpServer>>;
}

function doorsOf(settings: Settings, { tls, decider, doctor, history, measured, told, observer }: Behind): Doors {
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
  const exposition = expositionHandler(measured.registry);
  const grpc = grpcServer({
    transport: settings.grpcTransport,
    place: grpcPlace(settings),
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
      routes: { '/json': jsonHandler(answering), ...doctor.routes, '/metrics': exposition },
      maxBodyBytes: settings.maxMessageBytes,
      stopTimeoutMs: settings.drainTimeoutMs,
      onError: onBug,
    }),
    admin: httpServer({
      name: 'admin',
      host: settings.debugHost,
      port: settings.debugPort,
      ...admin({
        rules: history,
        metrics: measured.registry,
        profiles: profiles(settings.debugProfiles),
        guard: adminGuard(settings, told),
        format: formatProblem,
      }),
      stopTimeoutMs: ADMIN_STOP_TIMEOUT_MS,
      onError: onBug,
    }),
  };
  if (settings.usePrometheus && !settings.disableStats) {
    const routes = { [settings.prometheusPath]: expositionHandler(measured.fieldRegistry) };
    http.prometheus = httpServer({ name: 'prometheus', ...settings.prometheusAddr, routes, onError: onBug });
  }
  return { grpc, grpcHealth: healthService, http };
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

function projectionOptions(settings: Settings): ProjectionOptions {
  const { headersEnabled, limitHeader: limit, remainingHeader: remaining, resetHeader: reset } = settings;
  return {
    headerNames: headersEnabled ? { limit, remaining, reset } : null,
    retryAfterName: settings.retryAfterHeader,
    dynamicMetadata: settings.dynamicMetadata,
  };
}

/** Remembers what became of the rules, for /rules and for health. */
function historian(history: RulesHistory, changed: () => void): Observer {
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

function addressesOf(grpc: GrpcServer, doors: Readonly<Record<string, HttpServer>>): Readonly<Record<string, string>> {
  const bound: Record<string, string> = {};
  const target = grpc.target();
  if (target !== null) bound.grpc = target;
  for (const [name, door] of Object.entries(doors)) {
    const address = door.address();
    if (address === null) continue;
    const host = address.address;
    bound[name] = `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }
  return bound;
}
