import { readFile } from 'node:fs/promises';
import { type ChannelCredentials, type ChannelOptions, Client, credentials } from '@grpc/grpc-js';

export interface ControlPlaneOptions {
  /** `host:port`. */
  readonly server: string;
  /** null: plain text. */
  readonly tls: ControlPlaneTls | null;
  /** A larger response ends the stream. */
  readonly maxMessageBytes: number;
}

/** Paths of PEM files; null for those of the system, or none. */
export interface ControlPlaneTls {
  /** Trusted in place of the system's authorities. */
  readonly ca: string | null;
  /** Shown to a server that asks; both or neither. */
  readonly cert: string | null;
  readonly key: string | null;
  /** The name that the server's certificate must be for, in place of the host's. */
  readonly san: string | null;
}

/** Servers made with gRPC's Go library hang up on who pings more often than every 5 minutes. */
const PING_EVERY_MS = 330_000;
const PING_TIMEOUT_MS = 20_000;

/** A client of its own for each dial, with the files as they are then. Rejects with a sentence when they don't serve. */
export async function controlPlane({ server, tls, maxMessageBytes }: ControlPlaneOptions): Promise<Client> {
  const options: ChannelOptions = {
    // Shared connections would bring the waits of an earlier dial along.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': PING_EVERY_MS,
    'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    ...(tls === null || tls.san === null ? {} : { 'grpc.ssl_target_name_override': tls.san }),
  };
  return new Client(server, tls === null ? credentials.createInsecure() : await tlsCredentials(tls), options);
}

/** Rejects with a sentence when the files can't be read or don't fit together. */
export async function tlsCredentials({ ca, cert, key }: ControlPlaneTls): Promise<ChannelCredentials> {
  const files = [ca, cert, key].filter((path) => path !== null);
  try {
    const read = (path: string | null): Promise<Buffer | null> =>
      path === null ? Promise.resolve(null) : readFile(path);
    return credentials.createSsl(await read(ca), await read(key), await read(cert));
  } catch (error) {
    throw new Error(`TLS to the control plane from ${files.join(', ')}: ${(error as Error).message}`);
  }
}
