/** Names the Go service reads and weir does not (yet): accepted, logged, without effect. */
export const WITHOUT_EFFECT: readonly string[] = [
  'GRPC_CLIENT_TLS_CACERT',
  'GRPC_CLIENT_TLS_SAN',
  'GRPC_MAX_CONNECTION_AGE',
  'GRPC_MAX_CONNECTION_AGE_GRACE',
  'GRPC_SERVER_TLS_CERT',
  'GRPC_SERVER_TLS_KEY',
  'GRPC_SERVER_USE_TLS',
  'GRPC_UDS',
  'MEMCACHE_HOST_PORT',
  'MEMCACHE_MAX_IDLE_CONNS',
  'MEMCACHE_SRV',
  'MEMCACHE_SRV_REFRESH',
  'MEMCACHE_TLS',
  'MEMCACHE_TLS_CACERT',
  'MEMCACHE_TLS_CLIENT_CERT',
  'MEMCACHE_TLS_CLIENT_KEY',
  'MEMCACHE_TLS_SKIP_HOSTNAME_VERIFICATION',
  'REDIS_CLUSTER_PIPELINE_PARALLELISM',
  'REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM',
  'REDIS_PERSECOND_PIPELINE_LIMIT',
  'REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR',
  'REDIS_PIPELINE_LIMIT',
  'REDIS_POOL_ON_EMPTY_BEHAVIOR',
  'REDIS_STARTUP_INITIAL_INTERVAL',
  'REDIS_STARTUP_MAX_ELAPSED_TIME',
  'REDIS_STARTUP_MAX_INTERVAL',
  'TRACING_ENABLED',
  'TRACING_EXPORTER_PROTOCOL',
  'TRACING_SAMPLING_RATE',
  'TRACING_SERVICE_INSTANCE_ID',
  'TRACING_SERVICE_NAME',
  'TRACING_SERVICE_NAMESPACE',
];

/**
 * Names whose value asks for something that must not be quietly left out: without it weir would speak plain text where
 * TLS was asked for, or have no rules.
 */
export const NOT_YET: Readonly<Record<string, { readonly asks: (value: string) => boolean; readonly why: string }>> = {
  GRPC_SERVER_USE_TLS: { asks: isTrue, why: 'TLS on the gRPC port is not supported yet' },
};

function isTrue(value: string): boolean {
  return /^(1|t|true)$/i.test(value);
}
