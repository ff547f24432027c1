import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  type ServiceError as GrpcError,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { HEALTH_WATCH, SHOULD_RATE_LIMIT, type WireRequest, type WireResponse } from './wire.ts';

const HEALTH_SERVICE = 'ratelimit';
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const SERVING = 1;

/** `unknown`: not heard of yet, or the connection is lost. A service without a health check serves. */
export type Health = 'serving' | 'not_serving' | 'unknown';

/** What is in PEM files. */
export interface Tls {
  /** Authorities to trust; absent: those that Node.js trusts. */
  readonly ca?: Buffer | string;
  /** mTLS: who calls. Both or neither. */
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  /** What the service's certificate must be for, where that is not the host of the address. */
  readonly serverName?: string;
}

/** One address: a connection that is kept, and what is known of the health behind it. */
export interface Server {
  health(): Health;
  ask(request: WireRequest, deadlineMs: number, signal: AbortSignal | undefined): Promise<WireResponse>;
  /** Resolves when it is connected; rejects at the deadline. */
  connected(deadlineMs: number): Promise<void>;
  close(): void;
}

/** Throws an Error when certificate and key do not serve. `onHealth` is told of every change. */
export function server(address: string, tls: Tls | null, watched: boolean, onHealth: () => void): Server {
  const client = new Client(address, credentialsOf(tls), optionsOf(tls));
  const watch = watched ? healthWatch(client, onHealth) : null;
  const underWay = new Set<ClientUnaryCall>();
  return {
    health: () => watch?.health() ?? 'serving',
    ask: (request, deadlineMs, signal) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = SHOULD_RATE_LIMIT;
        const cancel = () => call.cancel();
        const done = (error: GrpcError | null, reply?: object): void => {
          underWay.delete(call);
          signal?.removeEventListener('abort', cancel);
          if (error === null) resolve(reply as WireResponse);
          else reject(error);
        };
        const options = { deadline: deadlineMs };
        const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
        underWay.add(call);
        signal?.addEventListener('abort', cancel, { once: true });
      }),
    connected: (deadlineMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(deadlineMs, (error) => (error ? reject(error) : resolve()));
      }),
    close() {
      watch?.close();
      for (const call of underWay) call.cancel();
      client.close();
    },
  };
}

function credentialsOf(tls: Tls | null): ChannelCredentials {
  if (tls === null) return credentials.createInsecure();
  const bytes = (pem: Buffer | string | undefined) => (pem === undefined ? null : Buffer.from(pem as string));
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert));
}

/** No service config from DNS: it could order retries, and a hit that is sent twice may be counted twice. */
function optionsOf(tls: Tls | null): ChannelOptions {
  return {
    'grpc.service_config_disable_resolution': 1,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': LONGEST_WAIT_MS,
    ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
  };
}

/** grpc-js has no health checking of its own (gRFC A17), so the stream is watched here. */
function healthWatch(client: Client, onChange: () => void) {
  const { path, requestSerialize, responseDeserialize } = HEALTH_WATCH;
  let now: Health = 'unknown';
  let waitMs = FIRST_WAIT_MS;
  let again: NodeJS.Timeout | undefined;
  let stream: ClientReadableStream<object>;
  let closed = false;
  const tell = (next: Health): void => {
    if (next === now) return;
    now = next;
    onChange();
  };
  const open = (): void => {
    const request = { service: HEALTH_SERVICE };
    stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    stream.on('data', (message: object) => {
      waitMs = FIRST_WAIT_MS;
      tell((message as { status: number }).status === SERVING ? 'serving' : 'not_serving');
    });
    // The status that follows tells the same.
    stream.on('error', () => {});
    // Also of a stream that ends without an error, after which nobody would tell of a change.
    stream.on('status', ({ code }: StatusObject) => {
      if (closed) return;
      // Whoever has no health check is taken to be well, and not asked again.
      if (code === status.UNIMPLEMENTED) return tell('serving');
      tell('unknown');
      again = setTimeout(open, waitMs).unref();
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    });
  };
  open();
  return {
    health: () => now,
    close() {
      closed = true;
      clearTimeout(again);
      stream.cancel();
    },
  };
}
