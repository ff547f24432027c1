import { type CertificateFiles, type Certificates, certificates } from './grpc/certificates.ts';
import { Counts } from './grpc/counts.ts';
import type { Place } from './grpc/listening.ts';
import type { GrpcBounds } from './grpc/server.ts';
import { SETTINGS, type Settings } from './settings/settings.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { REFUSALS, type Tls } from './wire/secure-server.ts';

/** TLS whose certificates are files. */
export interface GrpcTls extends Tls {
  readonly certificates: Certificates;
}

const MOST_NAMES_CHARS = 400;

/** Where the settings want gRPC. */
export function grpcPlace({ grpcUds, grpcHost, grpcPort }: Settings, { isPrepared = false } = {}): Place {
  return grpcUds === null ? { host: grpcHost, port: grpcPort } : { path: grpcUds, isPrepared };
}

/** What bounds the gRPC port and its stop. */
export function grpcBounds(settings: Settings): GrpcBounds {
  return {
    maxMessageBytes: settings.maxMessageBytes,
    maxConnections: settings.grpcMaxConnections,
    maxStreams: settings.grpcMaxStreams,
    maxHeaderListBytes: settings.grpcMaxHeaderListBytes,
    handshakeTimeoutMs: settings.grpcHandshakeTimeoutMs,
    keepaliveTimeMs: settings.grpcKeepaliveTimeMs,
    keepaliveTimeoutMs: settings.grpcKeepaliveTimeoutMs,
    maxConnectionIdleMs: settings.grpcMaxConnectionIdleMs,
    maxConnectionAgeMs: settings.grpcMaxConnectionAgeMs,
    maxConnectionAgeGraceMs: settings.grpcMaxConnectionAgeGraceMs,
    drainTimeoutMs: settings.drainTimeoutMs,
    wire: {
      maxRunning: settings.grpcMaxRunningCalls,
      requestTimeoutMs: settings.grpcRequestTimeoutMs,
      maxBufferedBytes: settings.grpcMaxBufferedBytes,
      maxBufferedBytesOfAll: settings.grpcMaxBufferedBytesOfAll,
      bounds: {
        maxResets: settings.grpcMaxResets,
        maxStreamErrors: settings.grpcMaxStreamErrors,
        maxControlFrames: settings.grpcMaxControlFrames,
        maxContinuations: settings.grpcMaxContinuations,
        connectionWindowBytes: settings.grpcConnectionWindowBytes,
        streamWindowBytes: settings.grpcStreamWindowBytes,
        maxUnsentBytes: settings.grpcMaxUnsentBytes,
        maxBlockedBytes: settings.grpcMaxBlockedBytes,
        stallTimeoutMs: settings.grpcStallTimeoutMs,
      },
    },
  };
}

/** The files of TLS on the gRPC port; null: plain text. Throws an Error with a sentence when one is missing. */
export function certificateFiles(settings: Settings): CertificateFiles | null {
  const { grpcTls, grpcTlsCert, grpcTlsKey, grpcClientCa, grpcClientSan } = settings;
  if (!grpcTls) return null;
  const needed = (name: 'grpcTlsCert' | 'grpcTlsKey', path: string | null) => {
    const setting = SETTINGS[name].env;
    if (path === null) throw new Error(`${setting}: is needed, because ${SETTINGS.grpcTls.env} is true`);
    return { path, setting };
  };
  // A name says something only of certificates that an authority has vouched for.
  if (grpcClientSan !== null && grpcClientCa === null) {
    throw new Error(`${SETTINGS.grpcClientCa.env}: is needed, because ${SETTINGS.grpcClientSan.env} is set`);
  }
  return {
    cert: needed('grpcTlsCert', grpcTlsCert),
    key: needed('grpcTlsKey', grpcTlsKey),
    clientCa: grpcClientCa === null ? null : { path: grpcClientCa, setting: SETTINGS.grpcClientCa.env },
  };
}

/** TLS as the settings want it; undefined: plain text. Throws an Error with a sentence when its files do not serve. */
export function grpcTls(settings: Settings, metrics: Metrics, { logger, trouble }: Log): GrpcTls | undefined {
  const files = certificateFiles(settings);
  if (files === null) return undefined;
  const refused = new Counts(Object.keys(REFUSALS));
  const watched = certificates(files, {
    onReplaced: ({ names, validToMs }) =>
      logger.info('gRPC has a new certificate: for %s, valid until %s', few(names), isoTime(validToMs)),
    onRefused: ({ message }) => logger.error('the certificate of gRPC stays the old one: %s', message),
  });
  metrics.read({
    tls: () => ({ ...watched.stats, validToSeconds: watched.current().validToMs / 1_000, refused }),
  });
  return {
    certificates: watched,
    clientName: settings.grpcClientSan,
    onRefused(because, detail, peer) {
      refused.add(because);
      trouble(`tls ${because}`, `a gRPC connection is refused: ${REFUSALS[because]}`, { detail, peer });
    },
  };
}

/** What the operator should know of TLS when the service starts. */
export function tellTls(settings: Settings, tls: GrpcTls | undefined, { logger }: Log, nowMs = Date.now()): void {
  const ca = SETTINGS.grpcServerTlsCaCert.env;
  const clientCa = SETTINGS.grpcClientCa.env;
  if (settings.grpcServerTlsCaCert !== null) {
    logger.info('%s is set and not enforced, as in the Go service: clients are looked at only with %s', ca, clientCa);
  }
  if (tls === undefined) {
    const on = SETTINGS.grpcTls.env;
    for (const name of ['grpcClientCa', 'grpcClientSan'] as const) {
      if (settings[name] === null) continue;
      logger.warn('gRPC is plain text and lets in every client: %s is set, and %s is not true', SETTINGS[name].env, on);
    }
    return;
  }
  const { names, validToMs, validFromMs } = tls.certificates.current();
  const who = settings.grpcClientCa === null ? 'any client' : `clients with a certificate of ${settings.grpcClientCa}`;
  const called = settings.grpcClientSan === null ? '' : ` for ${settings.grpcClientSan}`;
  logger.info(
    'gRPC speaks TLS with %s%s: certificate for %s, valid until %s',
    who,
    called,
    few(names),
    isoTime(validToMs),
  );
  if (validToMs <= nowMs) logger.error('the certificate of gRPC has expired at %s', isoTime(validToMs));
  if (validFromMs > nowMs) logger.error('the certificate of gRPC is valid only from %s', isoTime(validFromMs));
}

/** A certificate may be for thousands of names. */
function few(names: string): string {
  return names.length <= MOST_NAMES_CHARS ? names : `${names.slice(0, MOST_NAMES_CHARS)}...`;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
