import { integerBetween, numberBetween, oneOf, pairs } from '../go-values.ts';
import { bool, inGroup, path, setting, text } from '../setting.ts';

export const TRACING = inGroup('Tracing', {
  tracingEnabled: bool('TRACING_ENABLED', false, 'Send spans to an OpenTelemetry collector by OTLP.'),
  tracingProtocol: setting(
    'TRACING_EXPORTER_PROTOCOL',
    'http|grpc',
    'http',
    oneOf('http', 'grpc'),
    'OTLP over HTTP in protobuf, or over gRPC.',
  ),
  tracingSamplingRate: setting(
    'TRACING_SAMPLING_RATE',
    'number',
    1,
    numberBetween(0, 1_000),
    'The part of the traces that begin here, more than 1 is all; callers within a trace have decided. 0: no tracing.',
  ),
  tracingServiceName: setting('TRACING_SERVICE_NAME', 'text', 'RateLimit', text, 'service.name of the spans.'),
  tracingServiceNamespace: setting('TRACING_SERVICE_NAMESPACE', 'text', '', text, 'service.namespace.'),
  tracingServiceInstanceId: setting(
    'TRACING_SERVICE_INSTANCE_ID',
    'text',
    '',
    text,
    'service.instance.id. A random UUID for each process when not set.',
  ),
  otlpEndpoint: setting(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'url',
    '',
    endpoint,
    'The collector: http://localhost:4318 when not set, with grpc http://localhost:4317. Over HTTP /v1/traces is added.',
  ),
  otlpTracesEndpoint: setting(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    'url',
    '',
    endpoint,
    'The same, and beats it; nothing is added.',
  ),
  otlpHeaders: setting(
    'OTEL_EXPORTER_OTLP_HEADERS',
    'secret',
    '',
    exporterHeaders,
    'k=v,k=v with values percent-encoded. Sent with each batch, such as a token.',
  ),
  otlpTimeoutMs: setting(
    'OTEL_EXPORTER_OTLP_TIMEOUT',
    'milliseconds',
    10_000,
    integerBetween(1, 600_000),
    'How long a batch may take, all attempts together; then it is lost.',
  ),
  otlpCompression: setting(
    'OTEL_EXPORTER_OTLP_COMPRESSION',
    'none|gzip',
    'none',
    oneOf('none', 'gzip'),
    'How batches are packed.',
  ),
  otlpInsecure: bool(
    'OTEL_EXPORTER_OTLP_INSECURE',
    false,
    'With grpc and an address that has no scheme: plain text in place of TLS.',
  ),
  otlpCa: path('OTEL_EXPORTER_OTLP_CERTIFICATE', 'PEM file of the authorities to trust, read at the start.'),
  otlpCert: path('OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', 'PEM file of our own certificate.'),
  otlpKey: path('OTEL_EXPORTER_OTLP_CLIENT_KEY', 'PEM file of its key.'),
});

/** With a scheme, or `host:port` alone. It may hold a password, so it is never told. */
function endpoint(value: string): string | null {
  if (value === '') return null;
  if (!/^https?:\/\/[^/]/i.test(value) && !/^[^/\s]+:\d+$/.test(value)) throw new Error('expected http(s)://host:port');
  if (!URL.canParse(value.includes('://') ? value : `http://${value}`)) throw new Error('expected http(s)://host:port');
  return value;
}

/** As gRPC takes them, the values percent-encoded as the OpenTelemetry specification has them. */
function exporterHeaders(value: string): Readonly<Record<string, string>> {
  const entries = Object.entries(pairs('=')(value)).map(([name, text]) => {
    let decoded: string;
    try {
      decoded = decodeURIComponent(text);
    } catch {
      throw new Error('expected values in percent-encoding');
    }
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(decoded)) throw new Error('expected values of printable ASCII');
    return [name.toLowerCase(), decoded];
  });
  return Object.fromEntries(entries);
}
