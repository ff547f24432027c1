/** What the same series of several processes make together. `kept`: their sum, and that of processes that have ended. */
export type Across = 'sum' | 'kept' | 'max' | 'min';

/** One metric family: a row of the table in docs/metrics.md, and what /metrics says in # HELP and # TYPE. */
export interface FamilyRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** `field`: a name and meaning that the Go service has too. */
  readonly origin: 'field' | 'weir';
  /** Of a gauge. Counters and histograms are kept in any case. */
  readonly across: Across;
}

type Type = FamilyRow['type'];

const field = (
  name: string,
  type: Type,
  labels: readonly string[],
  help: string,
  across: Across = 'sum',
): FamilyRow => ({ name: `ratelimit_${name}`, type, labels, help, origin: 'field', across });
const weir = (
  name: string,
  type: Type,
  labels: readonly string[],
  help: string,
  across: Across = 'sum',
): FamilyRow => ({ name, type, labels, help, origin: 'weir', across });

const RULE = ['domain', 'key1', 'key2'];

/** Every family that weir makes itself; the process metrics of prom-client come beside them. */
export const FAMILIES = {
  totalHits: field(
    'service_rate_limit_total_hits',
    'counter',
    RULE,
    'Hits asked of a limit, whether or not the store could count them',
  ),
  overLimit: field('service_rate_limit_over_limit', 'counter', RULE, 'Hits above the limit'),
  nearLimit: field(
    'service_rate_limit_near_limit',
    'counter',
    RULE,
    'Hits between NEAR_LIMIT_RATIO of the limit and the limit',
  ),
  withinLimit: field(
    'service_rate_limit_within_limit',
    'counter',
    RULE,
    'Hits of answers that stayed within the limit',
  ),
  shadowMode: field('service_rate_limit_shadow_mode', 'counter', RULE, 'Hits above the limit of a rule in shadow mode'),
  overLimitWithLocalCache: field(
    'service_rate_limit_<domain>_<key1>_over_limit_with_local_cache',
    'counter',
    [],
    'Hits refused from the over-limit cache; the whole metric key is part of the name',
  ),
  shouldRateLimitError: field(
    'service_should_rate_limit_error',
    'counter',
    ['err_type'],
    'Calls that failed: redis_error, service_error',
  ),
  configLoadSuccess: field('service_config_load_success', 'counter', [], 'Rule sets that went live'),
  configLoadError: field('service_config_load_error', 'counter', [], 'Rule sets that were refused'),
  globalShadowMode: field('service_global_shadow_mode', 'counter', [], 'Answers that SHADOW_MODE turned into OK'),
  totalRequests: field('service_total_requests', 'counter', ['grpc_method'], 'gRPC calls'),
  responseTime: field(
    'service_response_time_seconds',
    'histogram',
    ['grpc_method'],
    'Time from a gRPC call to its answer',
  ),
  cacheEntries: field('localcache_entryCount', 'gauge', [], 'Keys in the over-limit cache'),
  cacheLookups: field('localcache_lookupCount', 'gauge', [], 'Keys looked up in the over-limit cache', 'kept'),
  cacheHits: field('localcache_hitCount', 'gauge', [], 'Keys found in the over-limit cache', 'kept'),
  cacheMisses: field('localcache_missCount', 'gauge', [], 'Keys not found in the over-limit cache', 'kept'),
  cacheExpired: field(
    'localcache_expiredCount',
    'gauge',
    [],
    'Keys that left the over-limit cache with their window',
    'kept',
  ),
  cacheEvacuated: field(
    'localcache_evacuateCount',
    'gauge',
    [],
    'Keys that left the over-limit cache for lack of room',
    'kept',
  ),
  cacheOverwritten: field(
    'localcache_overwriteCount',
    'gauge',
    [],
    'Keys put into the over-limit cache while they were there',
    'kept',
  ),

  decisions: weir(
    'ratelimit_decisions_total',
    'counter',
    ['domain', 'code'],
    'Requests by answer: ok, over_limit, error',
  ),
  decisionSeconds: weir('ratelimit_decision_seconds', 'histogram', [], 'Time to a decision, the store included'),
  refundedHits: weir(
    'ratelimit_refunded_hits_total',
    'counter',
    ['domain'],
    'Hits that callers asked to be given back',
  ),
  domainNotFound: weir('ratelimit_domain_not_found_total', 'counter', [], 'Descriptors of domains that no rules know'),
  inFlight: weir('ratelimit_in_flight', 'gauge', [], 'Requests being decided'),
  storeSeconds: weir('ratelimit_store_seconds', 'histogram', [], 'Round trip of one batch to the store'),
  storeBatchHits: weir('ratelimit_store_batch_hits', 'histogram', [], 'Hits that travelled to the store together'),
  redisConnections: weir('ratelimit_redis_connections', 'gauge', ['redis'], 'Connections to Redis that are ready'),
  redisConnects: weir('ratelimit_redis_connects_total', 'counter', ['redis'], 'Connections to Redis that were made'),
  redisReconnects: weir(
    'ratelimit_redis_reconnects_total',
    'counter',
    ['redis'],
    'Connections to Redis that were made anew after a loss',
  ),
  redisErrors: weir(
    'ratelimit_redis_errors_total',
    'counter',
    ['redis', 'code'],
    'Batches and refused calls that failed: timeout, unavailable, busy, script; counter is a key that holds none',
  ),
  storeFailures: weir(
    'ratelimit_store_failures_total',
    'counter',
    ['code'],
    'Requests that failed for the store: timeout, unavailable, script, counter, and busy, which was RESOURCE_EXHAUSTED',
  ),
  storeFallback: weir(
    'ratelimit_store_fallback_total',
    'counter',
    ['policy', 'because'],
    'Hits that Redis did not count, answered by STORE_FAILURE or on_store_failure',
  ),
  storeBreakers: weir(
    'ratelimit_store_breakers',
    'gauge',
    ['state'],
    'Breakers by state, one for each Redis server: closed, open, half_open',
  ),
  breakerOpenings: weir('ratelimit_store_breaker_openings_total', 'counter', [], 'Times a breaker opened'),
  breakerRefusals: weir(
    'ratelimit_store_breaker_refusals_total',
    'counter',
    [],
    'Calls that an open breaker kept away from the store',
  ),
  callersGone: weir(
    'ratelimit_callers_gone_total',
    'counter',
    [],
    'Requests whose caller had gone before its hits were sent; nothing was charged',
  ),
  rulesGeneration: weir(
    'ratelimit_rules_generation',
    'gauge',
    [],
    'Generation of the rule set that is live, in all workers; 0 before the first',
    'min',
  ),
  rules: weir('ratelimit_rules', 'gauge', [], 'Rules in the set that is live', 'min'),
  rulesProblems: weir('ratelimit_rules_problems', 'gauge', [], 'Problems in the newest rule set; 0 when it is live'),
  xdsConnected: weir('ratelimit_xds_connected', 'gauge', [], '1 while a stream to the control plane stands'),
  xdsConnects: weir('ratelimit_xds_connects_total', 'counter', [], 'Streams to the control plane that stood'),
  xdsResponses: weir(
    'ratelimit_xds_responses_total',
    'counter',
    ['answer'],
    'Sets of rules from the control plane by answer: ack, nack',
  ),
  xdsAccepted: weir(
    'ratelimit_xds_accepted_timestamp_seconds',
    'gauge',
    [],
    'When a set from the control plane was accepted last; 0 before the first',
  ),
  grpcConnections: weir('ratelimit_grpc_connections', 'gauge', [], 'Connections to the gRPC port that are open'),
  grpcConnectionsEnded: weir(
    'ratelimit_grpc_connections_ended_total',
    'counter',
    ['because'],
    'gRPC connections ended for what the client did: the setting it went beyond, as in max_resets for GRPC_MAX_RESETS, or an error of HTTP/2, as in protocol_error',
  ),
  grpcCallsRefused: weir(
    'ratelimit_grpc_calls_refused_total',
    'counter',
    ['because'],
    'gRPC calls refused before they were begun, on wire: the setting they went beyond, as in max_running_calls',
  ),
  tlsCertificateExpiry: weir(
    'ratelimit_grpc_tls_certificate_expiry_timestamp_seconds',
    'gauge',
    [],
    'When the certificate of the gRPC port ends, in seconds since 1970',
    'min',
  ),
  tlsReloads: weir(
    'ratelimit_grpc_tls_reloads_total',
    'counter',
    ['result'],
    'Times the certificate files of the gRPC port changed: taken, or refused because they do not serve',
  ),
  tlsRefused: weir(
    'ratelimit_grpc_tls_refused_connections_total',
    'counter',
    ['because'],
    'gRPC connections not let in by TLS: no_certificate, untrusted, expired, wrong_purpose, wrong_name, no_http2, no_tls, distrusts_us, handshake',
  ),
  bugs: weir('ratelimit_bugs_total', 'counter', [], 'Requests that met a defect of weir and were answered INTERNAL'),
  sinkLines: weir('weir_sink_lines_total', 'counter', ['sink'], 'Lines sent to statsd or dogstatsd'),
  sinkLostLines: weir(
    'weir_sink_lost_lines_total',
    'counter',
    ['sink'],
    'Lines that were on their way to statsd or dogstatsd when the way broke',
  ),
  spans: weir(
    'weir_trace_spans_total',
    'counter',
    ['result'],
    'Spans by what became of them: sent, failed (not taken in time), dropped (no room to wait)',
  ),
  workers: weir('weir_workers', 'gauge', [], 'Workers that serve, with WORKERS above 1'),
  workerRestarts: weir('weir_worker_restarts_total', 'counter', [], 'Workers that ended and were started again'),
  storeInfo: weir('weir_store_info', 'gauge', ['kind'], '1 for the store that counts: memory, redis', 'max'),
  buildInfo: weir('weir_build_info', 'gauge', ['version'], '1 for the version that runs', 'max'),
} as const satisfies Record<string, FamilyRow>;

/** The table of docs/metrics.md: one Markdown row per family, without the heading. */
export function metricRows(): string[] {
  return Object.values(FAMILIES).map(({ name, type, labels, help, origin }) => {
    const cells = [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(' ') || '-',
      help,
      origin === 'field' ? 'yes' : 'no',
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

/** Heading that goes above `metricRows()`. */
export const METRIC_HEADING = [
  '| Name | Type | Labels | What it tells | In the Go service |',
  '|---|---|---|---|---|',
] as const;
