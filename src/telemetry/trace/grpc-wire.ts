import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type Collector, type Wire, WireError } from './wire.ts';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** https://opentelemetry.io/docs/specs/otlp/#failures; RESOURCE_EXHAUSTED only with a time to come back, which is rare. */
const PASSING: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);
const GZIP = 2;
const MOST_RESPONSE_BYTES = 65_536;

/** OTLP over gRPC. The path of the URL says nothing here. */
export function grpcWire({ url, headers, gzip, tls: { ca, cert, key } }: Collector): Wire {
  const secure = url.protocol === 'https:';
  const client = new Client(
    url.port === '' ? `${url.hostname}:${secure ? 443 : 80}` : url.host,
    secure ? credentials.createSsl(ca ?? null, key ?? null, cert ?? null) : credentials.createInsecure(),
    {
      'grpc.max_receive_message_length': MOST_RESPONSE_BYTES,
      'grpc.service_config_disable_resolution': 1,
      ...(gzip ? { 'grpc.default_compression_algorithm': GZIP } : {}),
    },
  );
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);

  return {
    send(request, timeoutMs, signal) {
      return new Promise((resolve, reject) => {
        const cancel = () => call.cancel();
        const answered = (error: ServiceError | null, response?: Buffer) => {
          signal.removeEventListener('abort', cancel);
          if (error === null) resolve(response ?? new Uint8Array());
          else reject(new WireError(`${status[error.code]}: ${error.details}`, PASSING.has(error.code)));
        };
        const deadline = Date.now() + timeoutMs;
        const bytes = Buffer.from(request.buffer, request.byteOffset, request.length);
        const call = client.makeUnaryRequest(EXPORT, asIs, asIs, bytes, metadata, { deadline }, answered);
        signal.addEventListener('abort', cancel);
      });
    },
    close: () => client.close(),
  };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
