import type { StoreErrorCode } from '../core/ports.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { type Buckets, total } from './buckets.ts';
import type { DomainNumbers, Slot } from './domain-numbers.ts';
import { counted, type Family, family, gauged, histogram, type Sample, summed } from './exposition.ts';
import { FAMILIES, type FamilyRow } from './families.ts';
import { unmappedName } from './labels.ts';
import type {
  BreakerNumbers,
  GrpcNumbers,
  LocalCacheNumbers,
  RedisNumbers,
  SinkNumbers,
  Sources,
  SpanNumbers,
  TlsNumbers,
  XdsNumbers,
} from './sources.ts';

/** What is counted beside the domains. */
export interface Numbers {
  readonly version: string;
  readonly decisionTime: Buckets;
  readonly storeTime: Buckets;
  readonly storeBatch: Buckets;
  readonly methods: ReadonlyMap<string, Buckets>;
  globalShadowMode: number;
  domainNotFound: number;
  redisErrors: number;
  readonly storeFailures: Record<StoreErrorCode, number>;
  /** By policy and reason, joined by a blank. */
  readonly fallbacks: Map<string, number>;
  callersGone: number;
  serviceErrors: number;
  bugs: number;
  loads: number;
  refusedLoads: number;
  problems: number;
  live: Ruleset | null;
  sources: Sources;
}

type RuleStat = 'totalHits' | 'overLimit' | 'nearLimit' | 'withinLimit' | 'shadowMode';
const RULE_STATS: readonly RuleStat[] = ['totalHits', 'overLimit', 'nearLimit', 'withinLimit', 'shadowMode'];
const US_PER_SECOND = 1e6;

/** Everything there is to tell, as of now. Two keys that sanitising makes equal become one series, their sum. */
export function scrape(
  numbers: Numbers,
  domains: readonly DomainNumbers[],
  responseTimeDivisor: number = US_PER_SECOND,
): Family[] {
  return [
    ...ruleFamilies(domains),
    ...domainFamilies(domains),
    ...callFamilies(numbers, responseTimeDivisor),
    ...stateFamilies(numbers),
  ];
}

function ruleFamilies(domains: readonly DomainNumbers[]): Family[] {
  const slots = domains.flatMap((domain) => [...domain.slots.values(), domain.rest]);
  const families = RULE_STATS.map((stat) =>
    family(FAMILIES[stat], summed(slots.map((slot) => ({ labels: slot.labels, value: slot[stat] })))),
  );
  return [...families, ...localCacheFamilies(slots)];
}

/** The statsd mapping does not know this one, so that every key makes a family of its own. */
function localCacheFamilies(slots: readonly Slot[]): Family[] {
  const byName = new Map<string, number>();
  for (const { key, overLimitWithLocalCache } of slots) {
    if (overLimitWithLocalCache === 0) continue;
    const name = unmappedName(key, 'over_limit_with_local_cache');
    byName.set(name, (byName.get(name) ?? 0) + overLimitWithLocalCache);
  }
  return [...byName].map(([name, value]) => family(FAMILIES.overLimitWithLocalCache, [{ value, labels: {} }], name));
}

function domainFamilies(domains: readonly DomainNumbers[]): Family[] {
  const told = domains.map((domain) => ({ ...domain, label: domain.name.toWellFormed() }));
  const decisions = told.flatMap(({ label: domain, ok, overLimit, error }) => [
    { labels: { domain, code: 'ok' }, value: ok },
    { labels: { domain, code: 'over_limit' }, value: overLimit },
    { labels: { domain, code: 'error' }, value: error },
  ]);
  const refunds = told.map(({ label: domain, refundedHits: value }) => ({ labels: { domain }, value }));
  return [family(FAMILIES.decisions, summed(decisions)), family(FAMILIES.refundedHits, summed(refunds))];
}

function callFamilies(numbers: Numbers, responseTimeDivisor: number): Family[] {
  const { totalRequests, responseTime } = FAMILIES;
  const requests: Sample[] = [];
  const times: Sample[] = [];
  for (const [method, from] of numbers.methods) {
    const labels = { grpc_method: method };
    requests.push({ value: total(from.counts), labels });
    times.push(...histogram(responseTime.name, from, responseTimeDivisor, labels));
  }
  const errors = summed([
    { labels: { err_type: 'redis_error' }, value: numbers.redisErrors },
    { labels: { err_type: 'service_error' }, value: numbers.serviceErrors },
  ]);
  return [
    family(totalRequests, requests),
    family(responseTime, times),
    family(FAMILIES.shouldRateLimitError, errors),
    counted(FAMILIES.globalShadowMode, numbers.globalShadowMode),
    counted(FAMILIES.domainNotFound, numbers.domainNotFound),
    counted(FAMILIES.bugs, numbers.bugs),
    counted(FAMILIES.callersGone, numbers.callersGone),
    ...storeFamilies(numbers),
    unlabelled(FAMILIES.decisionSeconds, numbers.decisionTime, US_PER_SECOND),
    unlabelled(FAMILIES.storeSeconds, numbers.storeTime, US_PER_SECOND),
    unlabelled(FAMILIES.storeBatchHits, numbers.storeBatch, 1),
  ];
}

function storeFamilies({ storeFailures, fallbacks }: Numbers): Family[] {
  const failures = Object.entries(storeFailures).map(([code, value]) => ({ labels: { code }, value }));
  const answered = [...fallbacks].map(([both, value]) => {
    const [policy = '', because = ''] = both.split(' ');
    return { labels: { policy, because }, value };
  });
  return [family(FAMILIES.storeFailures, failures), family(FAMILIES.storeFallback, answered)];
}

function breakerFamilies({ states, openings, refusals }: BreakerNumbers): Family[] {
  const samples = Object.entries(states).map(([state, value]) => ({ labels: { state }, value }));
  return [
    family(FAMILIES.storeBreakers, samples),
    counted(FAMILIES.breakerOpenings, openings),
    counted(FAMILIES.breakerRefusals, refusals),
  ];
}

function stateFamilies(numbers: Numbers): Family[] {
  const { live, sources } = numbers;
  return [
    counted(FAMILIES.configLoadSuccess, numbers.loads),
    counted(FAMILIES.configLoadError, numbers.refusedLoads),
    gauged(FAMILIES.rulesGeneration, live?.generation ?? 0),
    gauged(FAMILIES.rules, live?.rules.length ?? 0),
    gauged(FAMILIES.rulesProblems, numbers.problems),
    gauged(FAMILIES.inFlight, sources.inFlight?.() ?? 0),
    gauged(FAMILIES.buildInfo, 1, { version: numbers.version }),
    ...(sources.storeKind === undefined ? [] : [gauged(FAMILIES.storeInfo, 1, { kind: sources.storeKind })]),
    ...(sources.redis === undefined ? [] : redisFamilies(sources.redis())),
    ...(sources.xds === undefined ? [] : xdsFamilies(sources.xds())),
    ...(sources.breakers === undefined ? [] : breakerFamilies(sources.breakers())),
    ...(sources.localCache === undefined ? [] : cacheFamilies(sources.localCache())),
    ...(sources.sinks === undefined ? [] : sinkFamilies(sources.sinks())),
    ...(sources.grpc === undefined ? [] : grpcFamilies(sources.grpc())),
    ...(sources.tls === undefined ? [] : tlsFamilies(sources.tls())),
    ...(sources.spans === undefined ? [] : [spanFamily(sources.spans())]),
  ];
}

function spanFamily({ sent, failed, dropped }: SpanNumbers): Family {
  const results = Object.entries({ sent, failed, dropped });
  return family(
    FAMILIES.spans,
    results.map(([result, value]) => ({ labels: { result }, value })),
  );
}

function grpcFamilies({ connections, ended, refused }: GrpcNumbers): Family[] {
  const because = (counts: ReadonlyMap<string, number>): Sample[] =>
    [...counts].map(([reason, value]) => ({ labels: { because: reason }, value }));
  return [
    gauged(FAMILIES.grpcConnections, connections),
    family(FAMILIES.grpcConnectionsEnded, because(ended)),
    family(FAMILIES.grpcCallsRefused, because(refused)),
  ];
}

function tlsFamilies({ validToSeconds, reloads, refusals, refused }: TlsNumbers): Family[] {
  const results = [
    { labels: { result: 'taken' }, value: reloads },
    { labels: { result: 'refused' }, value: refusals },
  ];
  const connections = [...refused].map(([because, value]) => ({ labels: { because }, value }));
  return [
    gauged(FAMILIES.tlsCertificateExpiry, validToSeconds),
    family(FAMILIES.tlsReloads, results),
    family(FAMILIES.tlsRefused, connections),
  ];
}

function sinkFamilies(all: readonly SinkNumbers[]): Family[] {
  const each = (number: 'sent' | 'lost'): Sample[] =>
    all.map((it) => ({ labels: { sink: it.name }, value: it[number] }));
  return [family(FAMILIES.sinkLines, each('sent')), family(FAMILIES.sinkLostLines, each('lost'))];
}

function xdsFamilies({ connected, connects, accepted, refused, acceptedAtMs }: XdsNumbers): Family[] {
  const answers = [
    { labels: { answer: 'ack' }, value: accepted },
    { labels: { answer: 'nack' }, value: refused },
  ];
  return [
    gauged(FAMILIES.xdsConnected, connected ? 1 : 0),
    counted(FAMILIES.xdsConnects, connects),
    family(FAMILIES.xdsResponses, answers),
    gauged(FAMILIES.xdsAccepted, acceptedAtMs / 1_000),
  ];
}

function redisFamilies(all: readonly RedisNumbers[]): Family[] {
  const each = (number: 'connections' | 'connects' | 'reconnects'): Sample[] =>
    all.map((redis) => ({ labels: { redis: redis.name }, value: redis[number] }));
  const errors = all.flatMap(({ name: redis, errors }) =>
    Object.entries(errors).map(([code, value]) => ({ labels: { redis, code }, value })),
  );
  return [
    family(FAMILIES.redisConnections, each('connections')),
    family(FAMILIES.redisConnects, each('connects')),
    family(FAMILIES.redisReconnects, each('reconnects')),
    family(FAMILIES.redisErrors, errors),
  ];
}

function cacheFamilies(cache: LocalCacheNumbers): Family[] {
  return [
    gauged(FAMILIES.cacheEntries, cache.entries),
    gauged(FAMILIES.cacheLookups, cache.lookups),
    gauged(FAMILIES.cacheHits, cache.hits),
    gauged(FAMILIES.cacheMisses, cache.misses),
    gauged(FAMILIES.cacheExpired, cache.expired),
    gauged(FAMILIES.cacheEvacuated, cache.evacuated),
    gauged(FAMILIES.cacheOverwritten, cache.overwritten),
  ];
}

function unlabelled(row: FamilyRow, from: Buckets, divisor: number): Family {
  return family(row, histogram(row.name, from, divisor));
}
