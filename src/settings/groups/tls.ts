import { bool, inGroup, optional, path, setting } from '../setting.ts';

export const TLS = inGroup('TLS on the gRPC port', {
  grpcTls: bool('GRPC_SERVER_USE_TLS', false, 'Speak TLS, and nothing else.'),
  grpcTlsCert: path('GRPC_SERVER_TLS_CERT', 'PEM file of our certificate. New ones are taken when the files change.'),
  grpcTlsKey: path('GRPC_SERVER_TLS_KEY', 'PEM file of its key.'),
  grpcClientCa: path(
    'GRPC_CLIENT_TLS_CACERT',
    'PEM file of authorities: only clients with a certificate of one of them are let in.',
  ),
  grpcClientSan: setting(
    'GRPC_CLIENT_TLS_SAN',
    'name',
    '',
    optional(certificateName),
    "DNS name or IP address that clients' certificates must be for.",
  ),
  grpcServerTlsCaCert: path(
    'GRPC_SERVER_TLS_CA_CERT',
    'Set by Envoy Gateway. Told in the log and not enforced, as in the Go service; see GRPC_CLIENT_TLS_CACERT.',
  ),
});

/** OpenSSL takes a name with a dot in front for all names that end so. */
function certificateName(value: string): string {
  if (/^\.|\s/.test(value)) throw new Error('expected a DNS name or an IP address');
  return value;
}
