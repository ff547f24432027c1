import { address, cluster, type EnvoyJson } from '../support/envoy.ts';
import { WINDOW_ENUM } from './window.ts';

export const RLS_CLUSTER = 'rls';

/** Where `set_metadata` puts an override of 3 requests per window, for routes that take their limit from metadata. */
export const OVERRIDE_NAMESPACE = 'test.override';

const TYPE = 'type.googleapis.com/envoy.extensions';

export interface RouteConfig {
  readonly name: string;
  readonly domain: string;
  readonly limits: readonly EnvoyJson[];
}

export interface HttpListenerOptions {
  readonly name: string;
  readonly port: number;
  readonly routes: readonly RouteConfig[];
  readonly denies: boolean;
  readonly timeoutMs: number;
  readonly retries: boolean;
  readonly accessLog: string;
}

export function httpListener(options: HttpListenerOptions): EnvoyJson {
  return {
    name: options.name,
    address: { socket_address: { address: '127.0.0.1', port_value: options.port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'hcm',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: options.name,
              // The client address is what x-forwarded-for says, so that a test may choose it.
              use_remote_address: true,
              xff_num_trusted_hops: 1,
              max_request_headers_kb: 128,
              access_log: [accessLog(options.accessLog)],
              route_config: {
                virtual_hosts: [{ name: 'all', domains: ['*'], routes: options.routes.map(routeEntry) }],
              },
              http_filters: [setMetadata(), rateLimit(options), router()],
            },
          },
        ],
      },
    ],
  };
}

function routeEntry({ name, domain, limits }: RouteConfig): EnvoyJson {
  return {
    match: { path_separated_prefix: `/${name}` },
    route: { cluster: 'app' },
    typed_per_filter_config: {
      'envoy.filters.http.ratelimit': {
        '@type': `${TYPE}.filters.http.ratelimit.v3.RateLimitPerRoute`,
        domain,
        rate_limits: limits,
      },
    },
  };
}

function setMetadata(): EnvoyJson {
  return {
    name: 'envoy.filters.http.set_metadata',
    typed_config: {
      '@type': `${TYPE}.filters.http.set_metadata.v3.Config`,
      metadata: [
        {
          metadata_namespace: OVERRIDE_NAMESPACE,
          value: { limit: { requests_per_unit: 3, unit: WINDOW_ENUM } },
        },
      ],
    },
  };
}

function rateLimit({ denies, timeoutMs, retries }: HttpListenerOptions): EnvoyJson {
  return {
    name: 'envoy.filters.http.ratelimit',
    typed_config: {
      '@type': `${TYPE}.filters.http.ratelimit.v3.RateLimit`,
      domain: 'every-route-names-its-own',
      timeout: `${timeoutMs / 1000}s`,
      failure_mode_deny: denies,
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      enable_retry_after_header: true,
      rate_limit_service: rateLimitService(retries),
    },
  };
}

function rateLimitService(retries: boolean): EnvoyJson {
  return {
    transport_api_version: 'V3',
    grpc_service: {
      envoy_grpc: { cluster_name: RLS_CLUSTER },
      // Only here: the retry_policy of envoy_grpc is accepted and ignored for this service.
      ...(retries ? { retry_policy: retryPolicy() } : {}),
    },
  };
}

function retryPolicy(): EnvoyJson {
  return {
    retry_on: 'connect-failure,refused-stream,unavailable,reset',
    num_retries: 5,
    // Envoy takes the longest back-off for the timeout of each try as well: a short one asks, and so counts, twice.
    retry_back_off: { base_interval: '0.005s', max_interval: '10s' },
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: { '@type': `${TYPE}.retry.host.previous_hosts.v3.PreviousHostsPredicate` },
      },
    ],
    host_selection_retry_max_attempts: 5,
  };
}

function router(): EnvoyJson {
  return { name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } };
}

function accessLog(path: string): EnvoyJson {
  return {
    name: 'file',
    typed_config: {
      '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
      path,
      log_format: {
        json_format: {
          id: '%REQ(X-TEST-ID)%',
          code: '%RESPONSE_CODE%',
          details: '%RESPONSE_CODE_DETAILS%',
          flags: '%RESPONSE_FLAGS%',
          metadata: '%DYNAMIC_METADATA(envoy.filters.http.ratelimit)%',
        },
      },
    },
  };
}

export interface TcpRouteConfig {
  /** The domain too. */
  readonly name: string;
  readonly descriptor: EnvoyJson;
}

export function tcpListener({ name, descriptor }: TcpRouteConfig, port: number): EnvoyJson {
  return {
    name,
    address: address(port),
    filter_chains: [
      {
        filters: [
          {
            name: 'ratelimit',
            typed_config: {
              '@type': `${TYPE}.filters.network.ratelimit.v3.RateLimit`,
              stat_prefix: name,
              domain: name,
              descriptors: [descriptor],
              timeout: '10s',
              failure_mode_deny: true,
              rate_limit_service: rateLimitService(false),
            },
          },
          {
            name: 'tcp',
            typed_config: {
              '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
              stat_prefix: name,
              cluster: 'tcp-app',
            },
          },
        ],
      },
    ],
  };
}

/** The name in the limiters' certificates. */
export const LIMITER_NAME = 'weir.test';

/** Paths of PEM files: what Envoy shows, and whom it trusts. */
export interface ClientFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface RlsClusterOptions {
  readonly healthChecks: boolean;
  readonly tls?: ClientFiles | undefined;
}

function upstreamTls({ cert, key, ca }: ClientFiles): EnvoyJson {
  const names = [{ san_type: 'DNS', matcher: { exact: LIMITER_NAME } }];
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: LIMITER_NAME,
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_certificates: [{ certificate_chain: { filename: cert }, private_key: { filename: key } }],
        validation_context: { trusted_ca: { filename: ca }, match_typed_subject_alt_names: names },
      },
    },
  };
}

/**
 * The limiters. More retries at once than Envoy's default of 3, which a drain of one server would exceed; and no merging
 * of health changes, which by default come to the workers up to a second late when they follow each other.
 */
export function rlsCluster(ports: readonly number[], { healthChecks, tls }: RlsClusterOptions): EnvoyJson {
  const health = {
    timeout: '1s',
    interval: '0.1s',
    no_traffic_interval: '0.1s',
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    grpc_health_check: { service_name: 'ratelimit' },
  };
  return cluster(RLS_CLUSTER, ports, {
    http2: true,
    extra: {
      circuit_breakers: { thresholds: [{ max_retries: 1000, max_requests: 10_000, max_pending_requests: 10_000 }] },
      common_lb_config: { update_merge_window: '0s' },
      ...(healthChecks ? { health_checks: [health] } : {}),
      ...(tls === undefined ? {} : { transport_socket: upstreamTls(tls) }),
    },
  });
}
