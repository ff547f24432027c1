import { hostAndPort, oneOf } from '../go-values.ts';
import { bool, inGroup, optionalText, path, port, setting, text } from '../setting.ts';

/** What the kernel takes for the address of a unix socket, in bytes. */
const MOST_SOCKET_PATH = 107;

export const PORTS = inGroup('Ports', {
  host: setting('HOST', 'address', '0.0.0.0', text, 'Address of the HTTP port.'),
  port: setting('PORT', 'port', 8080, port, 'HTTP: /json, /healthcheck, /livez, /readyz, /metrics.'),
  grpcHost: setting('GRPC_HOST', 'address', '0.0.0.0', text, 'Address of the gRPC port.'),
  grpcPort: setting('GRPC_PORT', 'port', 8081, port, 'gRPC: ShouldRateLimit, health, reflection.'),
  grpcUds: setting('GRPC_UDS', 'path', '', socketPath, 'A unix socket for gRPC, in place of GRPC_HOST and GRPC_PORT.'),
  grpcTransport: setting(
    'GRPC_TRANSPORT',
    'wire|grpc-js',
    'wire',
    oneOf('wire', 'grpc-js'),
    'What speaks HTTP/2 on the gRPC port: weir itself, straight on sockets, or gRPC’s library at several times the cost.',
  ),
  debugHost: setting('DEBUG_HOST', 'address', '0.0.0.0', text, 'Address of the admin port.'),
  debugPort: setting('DEBUG_PORT', 'port', 6070, port, 'Admin: /rlconfig, /rules, /metrics, /stats, /debug/pprof/.'),
  debugProfiles: bool(
    'DEBUG_PROFILES',
    false,
    'Make CPU profiles and heap snapshots there, for callers on this host. A snapshot holds keys and secrets.',
  ),
  adminTokenFile: path(
    'ADMIN_TOKEN_FILE',
    'A file with a token that callers of the admin port must bear (Authorization: Bearer ...), but for /. It may change.',
  ),
  usePrometheus: bool('USE_PROMETHEUS', false, 'Serve metrics on PROMETHEUS_ADDR too. /metrics is there in any case.'),
  prometheusAddr: setting('PROMETHEUS_ADDR', 'host:port', ':9090', hostAndPort, 'Where, with USE_PROMETHEUS.'),
  prometheusPath: setting('PROMETHEUS_PATH', 'path', '/metrics', absolutePath, 'The path there.'),
});

function socketPath(value: string): string | null {
  if (value.startsWith('@')) throw new Error('expected the path of a file; abstract sockets are not supported');
  if (Buffer.byteLength(value) > MOST_SOCKET_PATH)
    throw new Error(`expected a path of at most ${MOST_SOCKET_PATH} bytes`);
  return optionalText(value);
}

function absolutePath(value: string): string {
  if (!value.startsWith('/')) throw new Error('expected a path that starts with /');
  return value;
}
