import { numberBetween, oneOf, pairs } from '../go-values.ts';
import { bool, count, duration, inGroup, optional, optionalText, path, setting, text } from '../setting.ts';

export const RULES_OVER_XDS = inGroup('Rules over xDS', {
  configType: setting(
    'CONFIG_TYPE',
    'FILE|GRPC_XDS_SOTW',
    'FILE',
    oneOf('FILE', 'GRPC_XDS_SOTW'),
    'Where rules come from: files, or a control plane by state-of-the-world ADS.',
  ),
  xdsServer: setting('CONFIG_GRPC_XDS_SERVER_URL', 'host:port', 'localhost:18000', text, 'The control plane.'),
  xdsNodeId: setting('CONFIG_GRPC_XDS_NODE_ID', 'text', 'default', text, 'Which node this process is to it.'),
  xdsNodeMetadata: setting('CONFIG_GRPC_XDS_NODE_METADATA', 'k=v,k=v', '', pairs('='), 'Metadata of the node.'),
  xdsHeaders: setting(
    'CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS',
    'secret',
    '',
    grpcHeaders,
    'k:v,k:v. Headers of each stream, such as a token.',
  ),
  xdsRetryMs: duration(
    'CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL',
    '3s',
    'The wait after a stream that served has ended, and after the first that failed. None is shorter than 100ms.',
  ),
  xdsBackoffInitialMs: duration(
    'XDS_CLIENT_BACKOFF_INITIAL_INTERVAL',
    '10s',
    'The wait after the next one that failed; it doubles with each further one.',
  ),
  xdsBackoffMaxMs: duration('XDS_CLIENT_BACKOFF_MAX_INTERVAL', '60s', 'The longest wait.'),
  xdsBackoffFactor: setting(
    'XDS_CLIENT_BACKOFF_RANDOM_FACTOR',
    'number',
    0.5,
    numberBetween(0, 1_000),
    'By how much of itself a wait may be shorter or longer. More than 1 counts as 1.',
  ),
  xdsBackoffJitter: bool('XDS_CLIENT_BACKOFF_JITTER', true, 'false: waits are not varied.'),
  xdsTls: bool('CONFIG_GRPC_XDS_SERVER_USE_TLS', false, 'Speak TLS to the control plane.'),
  xdsTlsCa: path(
    'CONFIG_GRPC_XDS_SERVER_TLS_CACERT',
    'PEM file of the authorities to trust, in place of those of the system. Read again at each dial.',
  ),
  xdsTlsSan: setting(
    'CONFIG_GRPC_XDS_SERVER_TLS_SAN',
    'name',
    '',
    optionalText,
    'The name its certificate must be for, in place of the host.',
  ),
  xdsTlsCert: path('CONFIG_GRPC_XDS_CLIENT_TLS_CERT', 'PEM file of our own certificate, read again at each dial.'),
  xdsTlsKey: path('CONFIG_GRPC_XDS_CLIENT_TLS_KEY', 'PEM file of its key.'),
  xdsMaxMessageBytes: setting(
    'XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES',
    'bytes',
    '',
    optional(count),
    'A larger set of rules is not taken: 4 MiB when this is 0 or not set.',
  ),
});

/** gRPC takes these and no others; a value may hold a token, so it is never told. */
function grpcHeaders(value: string): Readonly<Record<string, string>> {
  const headers = pairs(':')(value);
  for (const [name, text] of Object.entries(headers)) {
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(text)) throw new Error('expected values of printable ASCII');
  }
  return headers;
}
