import { wantsRedis, workersRefusal } from '../counting.ts';
import { editDistance } from '../rules/schema.ts';
import { WITHOUT_EFFECT } from '../settings/go-names.ts';
import type { ReadSettings, SettingsError } from '../settings/read-settings.ts';
import { SETTINGS, type Settings } from '../settings/settings.ts';
import { sinksOn } from '../settings/sinks-on.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

type Name = keyof Settings;
/** Shorter names are near each other by chance. */
const SHORTEST_NAME = 7;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags or environment that the service would not start with. */
export function wrongSettings({ lines }: SettingsError): readonly Finding[] {
  return lines.map((line) => fail('settings.wrong', line, 'weir serve would not start; mend it, see weir --help'));
}

/** What the settings say against each other, or say to nobody. */
export function settings(read: ReadSettings, env: Environment): readonly Finding[] {
  const found = [...unknown(env), ...ignored(read), ...withoutEffect(read), ...samePorts(read), ...doubtful(read)];
  if (found.some(({ mark }) => mark !== 'ok')) return found;
  const set = Object.values(read.sources).filter((source) => source !== 'default').length;
  return [ok('settings.effect', `${set === 0 ? 'none is set, so all are defaults' : `${set} set, all with effect`}`)];
}

/** Only names that are one slip of the hand from one of ours; whatever else is there is none of our business. */
function unknown(env: Environment): readonly Finding[] {
  const ours = Object.values(SETTINGS).map((setting) => setting.env);
  const known = new Set<string>([...ours, ...Object.keys(WITHOUT_EFFECT)]);
  return Object.keys(env).flatMap((name) => {
    if (known.has(name) || !/^[A-Z]+_\w+$/.test(name) || name.length < SHORTEST_NAME) return [];
    const meant = ours.find((it) => Math.abs(it.length - name.length) <= 1 && editDistance(name, it) === 1);
    if (meant === undefined) return [];
    return [warn('settings.unknown', `${name} is no setting`, `if ${meant} was meant, rename it`)];
  });
}

function ignored({ ignored: names }: ReadSettings): readonly Finding[] {
  if (names.length === 0) return [];
  const says = `set, known to the Go service, and without effect here: ${names.join(', ')}`;
  return [warn('settings.ignored', says, 'remove them, or look whether something relies on them')];
}

const RUNTIME: readonly Name[] = ['runtimeRoot', 'runtimeSubdirectory', 'runtimeAppdirectory'];
const OVER_XDS: readonly Name[] = [...named('CONFIG_GRPC_XDS_'), ...named('XDS_CLIENT_')];
const XDS_TLS_FILES: readonly Name[] = ['xdsTlsCa', 'xdsTlsSan', 'xdsTlsCert', 'xdsTlsKey'];
const GRPC_PORT: readonly Name[] = ['grpcHost', 'grpcPort'];
const GRPC_TLS: readonly Name[] = [...named('GRPC_SERVER_TLS_'), ...named('GRPC_CLIENT_TLS_')];
const PROMETHEUS: readonly Name[] = ['prometheusAddr', 'prometheusPath'];
const SINKS = ['usePrometheus', 'useStatsd', 'useDogStatsd'] as const;
const HEADERS: readonly Name[] = ['limitHeader', 'remainingHeader', 'resetHeader'];

/** The reason, and the names that have no effect because of it. */
type Row = readonly [holds: boolean, names: readonly Name[], because: string];

function withoutEffect(read: ReadSettings): readonly Finding[] {
  const { settings: all } = read;
  const rules =
    all.rules !== null && (read.sources.rules === 'flag' || !RUNTIME.some((it) => read.sources[it] === 'flag'));
  const overXds = all.configType === 'GRPC_XDS_SOTW';
  const rows: readonly Row[] = [
    ...(wantsRedis(all) ? inRedis(all) : inMemory()),
    [overXds, [...RUNTIME, 'rules'], `${SETTINGS.configType.env} says that rules come over xDS`],
    [!overXds, OVER_XDS, `${SETTINGS.configType.env} is FILE`],
    [overXds && !all.xdsTls, XDS_TLS_FILES, `${SETTINGS.xdsTls.env} is false`],
    [!overXds && rules, RUNTIME, `${SETTINGS.rules.env} says where the rules are`],
    [!overXds && all.rules !== null && !rules, ['rules'], 'RUNTIME_* flags say where the rules are'],
    [all.grpcUds !== null, GRPC_PORT, `${SETTINGS.grpcUds.env} says where gRPC is`],
    [!all.grpcTls, GRPC_TLS, `${SETTINGS.grpcTls.env} is false, so gRPC is plain text and lets in every client`],
    [all.disableStats, [...SINKS.filter((it) => all[it]), ...PROMETHEUS], `${SETTINGS.disableStats.env} is true`],
    [!all.disableStats && !all.usePrometheus, PROMETHEUS, `${SETTINGS.usePrometheus.env} is false`],
    [!caches(all), ['overLimitCacheMaxAgeMs'], 'there is no over-limit cache'],
    [all.storeFailure !== 'local', ['localFallbackShare'], `${SETTINGS.storeFailure.env} is not local`],
    [!all.headersEnabled, HEADERS, `${SETTINGS.headersEnabled.env} is false`],
  ];
  return rows.flatMap(([holds, names, because]) => {
    const set = names.filter((name) => read.sources[name] !== 'default').map((name) => SETTINGS[name].env);
    if (!holds || set.length === 0) return [];
    const says = `${set.join(', ')} ${set.length === 1 ? 'is' : 'are'} set and without effect: ${because}`;
    return [warn('settings.effect', says, 'remove what is not meant')];
  });
}

const TLS_FILES: readonly Name[] = ['redisTlsCa', 'redisTlsCert', 'redisTlsKey', 'redisTlsSkipHostname'];

const CACHE: readonly Name[] = ['overLimitCacheBytes', 'overLimitCacheEntries'];

function caches(all: Settings): boolean {
  return all.overLimitCacheBytes > 0 || all.overLimitCacheEntries > 0;
}

function inMemory(): readonly Row[] {
  const because = `hits are counted in memory (${SETTINGS.backendType.env}=memory, or no Redis is named)`;
  const cache = 'hits are counted in memory, where the over-limit cache saves nothing';
  return [
    [true, named('REDIS_'), because],
    [true, CACHE, cache],
  ];
}

function inRedis(all: Settings): readonly Row[] {
  const urls = [all.redisUrl, all.perSecond ? all.perSecondUrl : null].join(' ');
  const tls = all.redisTls || (all.perSecond && all.perSecondTls) || /rediss:/i.test(urls);
  const sentinels: readonly Name[] = ['redisSentinelAuth', 'redisSentinelAuthFile'];
  const perSecond = named('REDIS_PERSECOND_');
  return [
    [true, ['memoryMaxKeys'], 'hits are counted in Redis'],
    [!all.perSecond, perSecond, `${SETTINGS.perSecond.env} is false`],
    [all.redisAuthFile !== null, ['redisAuth'], `${SETTINGS.redisAuthFile.env} beats it`],
    [all.perSecond && all.perSecondAuthFile !== null, ['perSecondAuth'], `${SETTINGS.perSecondAuthFile.env} beats it`],
    [all.redisType !== 'sentinel', sentinels, `${SETTINGS.redisType.env} is not sentinel`],
    [
      all.perSecond && all.perSecondType !== 'sentinel',
      ['perSecondSentinelAuth', 'perSecondSentinelAuthFile'],
      `${SETTINGS.perSecondType.env} is not sentinel`,
    ],
    [!tls, TLS_FILES, `no Redis is asked by TLS (${SETTINGS.redisTls.env} is false)`],
  ];
}

function named(beginning: string): readonly Name[] {
  return (Object.keys(SETTINGS) as Name[]).filter((name) => SETTINGS[name].env.startsWith(beginning));
}

function samePorts({ settings: all }: ReadSettings): readonly Finding[] {
  const doors: readonly (readonly [string, string, number])[] = [
    [SETTINGS.port.env, all.host, all.port],
    ...(all.grpcUds === null ? [[SETTINGS.grpcPort.env, all.grpcHost, all.grpcPort] as const] : []),
    [SETTINGS.debugPort.env, all.debugHost, all.debugPort],
    ...(sinksOn(all).prometheus
      ? [[SETTINGS.prometheusAddr.env, all.prometheusAddr.host, all.prometheusAddr.port] as const]
      : []),
  ];
  return doors.flatMap(([name, host, port], i) =>
    doors
      .slice(i + 1)
      .filter(([, otherHost, otherPort]) => port !== 0 && port === otherPort && overlap(host, otherHost))
      .map(([other]) => fail('settings.ports', `${name} and ${other} are both port ${port}`, 'give each its own')),
  );
}

function overlap(a: string, b: string): boolean {
  const everywhere = ['', '0.0.0.0', '::'];
  return a === b || everywhere.includes(a) || everywhere.includes(b);
}

function doubtful({ settings: all }: ReadSettings): readonly Finding[] {
  const found: Finding[] = [];
  const refused = workersRefusal(all);
  if (refused !== null)
    found.push(fail('settings.wrong', refused, 'weir serve would not start; set REDIS_URL or WORKERS=1'));
  if (all.shadowMode) {
    found.push(warn('settings.shadow', 'SHADOW_MODE is on: nothing is ever refused', 'turn it off to enforce limits'));
  }
  if (wantsRedis(all) && all.storeFailure === 'local' && all.localFallbackShare === 1) {
    const says =
      'STORE_FAILURE is local and LOCAL_FALLBACK_SHARE 1: while Redis is away, each process admits whole limits';
    found.push(
      warn('settings.share', says, 'set LOCAL_FALLBACK_SHARE to the number of processes, if there is more than one'),
    );
  }
  return found;
}
