import type { Settings } from './settings/settings.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { VERSION } from './version.ts';
import type { ControlPlaneTls } from './xds/control-plane.ts';
import { type XdsSource, xdsSource } from './xds/xds-source.ts';

/** What a gRPC message may have when nobody says more. */
const MESSAGE_BYTES = 4_194_304;
/** What a control plane says when it ends a stream may be as long as a header. */
const MOST_BECAUSE_CHARS = 500;

/** CONFIG_TYPE=GRPC_XDS_SOTW. Throws an Error with a sentence when the settings do not fit together. */
export function rulesOverXds(settings: Settings, metrics: Metrics, { logger, trouble }: Log): XdsSource {
  const { xdsServer: server, xdsBackoffJitter, xdsBackoffFactor } = settings;
  const source = xdsSource({
    server,
    tls: settings.xdsTls ? tlsOf(settings) : null,
    maxMessageBytes: settings.xdsMaxMessageBytes || MESSAGE_BYTES,
    node: { id: settings.xdsNodeId, metadata: settings.xdsNodeMetadata },
    headers: settings.xdsHeaders,
    backoff: {
      retryMs: settings.xdsRetryMs,
      initialMs: settings.xdsBackoffInitialMs,
      maxMs: settings.xdsBackoffMaxMs,
      jitter: xdsBackoffJitter ? Math.min(1, xdsBackoffFactor) : 0,
    },
    version: VERSION,
    random: Math.random,
    onConnected: () => logger.info('rules: connected to the control plane %s', server),
    onDisconnected: (because, retryMs) =>
      trouble('xds', 'rules: no stream to the control plane; rules stay as they are', {
        server,
        because: because.slice(0, MOST_BECAUSE_CHARS),
        retryMs,
      }),
  });
  metrics.read({ xds: source.numbers });
  return source;
}

function tlsOf({ xdsTlsCa: ca, xdsTlsCert: cert, xdsTlsKey: key, xdsTlsSan: san }: Settings): ControlPlaneTls {
  if ((cert === null) !== (key === null)) {
    throw new Error('CONFIG_GRPC_XDS_CLIENT_TLS_CERT and CONFIG_GRPC_XDS_CLIENT_TLS_KEY need each other');
  }
  return { ca, cert, key, san };
}
