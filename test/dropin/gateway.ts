import { cluster, type Envoy, type EnvoyJson, envoy } from '../support/envoy.ts';
import { freePort } from '../support/port.ts';
import type { Deployment } from './deployment.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

export interface Gateway extends Pick<Envoy, 'stop'> {
  readonly port: number;
}

/** A real Envoy that asks the service as the deployment's proxies do, and sends to the application what may pass. */
export async function gateway(
  { envoy: asked }: Deployment,
  ports: { readonly grpc: number; readonly app: number },
  ca: string,
): Promise<Gateway> {
  const port = await freePort();
  const tls = asked.name === undefined ? {} : { transport_socket: upstreamTls(asked.name, ca) };
  const clusters = [
    cluster('app', [ports.app]),
    cluster('ratelimit_cluster', [ports.grpc], { http2: true, extra: tls }),
  ];
  const proxy = await envoy({ listeners: [listener(asked, port)], clusters });
  return { port, stop: proxy.stop };
}

function listener({ domain, rate_limits }: Deployment['envoy'], port: number): EnvoyJson {
  const route = { match: { prefix: '/' }, route: { cluster: 'app', rate_limits } };
  return {
    name: 'http',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'hcm',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'http',
              // The client address is what x-forwarded-for says, so that a test may choose it.
              use_remote_address: true,
              xff_num_trusted_hops: 1,
              route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
              http_filters: [rateLimit(domain), router()],
            },
          },
        ],
      },
    ],
  };
}

/** An error shows as 500, and a busy machine makes none. */
function rateLimit(domain: string): EnvoyJson {
  return {
    name: 'envoy.filters.http.ratelimit',
    typed_config: {
      '@type': `${TYPE}.filters.http.ratelimit.v3.RateLimit`,
      domain,
      timeout: '10s',
      failure_mode_deny: true,
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      rate_limit_service: {
        transport_api_version: 'V3',
        grpc_service: { envoy_grpc: { cluster_name: 'ratelimit_cluster' } },
      },
    },
  };
}

function router(): EnvoyJson {
  return { name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } };
}

function upstreamTls(name: string, ca: string): EnvoyJson {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: name,
      common_tls_context: {
        validation_context: {
          trusted_ca: { filename: ca },
          match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: name } }],
        },
      },
    },
  };
}
