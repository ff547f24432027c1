import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SETTINGS, type Settings } from './settings/settings.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { type Tracing, tracing } from './telemetry/trace/tracing.ts';
import type { Collector } from './telemetry/trace/wire.ts';
import { VERSION } from './version.ts';

const DEFAULT_ENDPOINT = { http: 'http://localhost:4318', grpc: 'http://localhost:4317' } as const;
const TRACES_PATH = 'v1/traces';

/** Tracing as the settings want it; null without it. Throws an Error with a sentence when they do not fit together. */
export function tracingOf(settings: Settings, metrics: Metrics, { logger, trouble }: Log): Tracing | null {
  if (!settings.tracingEnabled) return null;
  if (settings.tracingSamplingRate === 0) {
    logger.info('nothing is traced: %s is 0', SETTINGS.tracingSamplingRate.env);
    return null;
  }
  const collector = collectorOf(settings);
  const { protocol, host } = collector.url;
  return tracing({
    async open() {
      const { sdkSpans } = await import('./telemetry/trace/sdk.ts');
      const spans = sdkSpans({
        protocol: settings.tracingProtocol,
        collector,
        timeoutMs: settings.otlpTimeoutMs,
        service: {
          name: settings.tracingServiceName,
          namespace: settings.tracingServiceNamespace,
          instanceId: settings.tracingServiceInstanceId,
          version: VERSION,
        },
        samplingRate: settings.tracingSamplingRate,
        onLost: (count, { message }) =>
          trouble('tracing', 'spans were lost', { spans: count, collector: `${protocol}//${host}`, cause: message }),
      });
      metrics.read({ spans: () => spans.numbers });
      return spans;
    },
    onBug: (error) => trouble('tracing bug', 'a call could not be traced', { cause: String(error) }),
  });
}

/** Where spans go. Throws an Error with a sentence when a file does not serve. */
export function collectorOf(settings: Settings): Collector {
  return {
    url: urlOf(settings),
    headers: settings.otlpHeaders,
    gzip: settings.otlpCompression === 'gzip',
    tls: tlsOf(settings),
  };
}

function urlOf({ tracingProtocol, otlpEndpoint, otlpTracesEndpoint, otlpInsecure }: Settings): URL {
  const written = otlpTracesEndpoint ?? otlpEndpoint ?? DEFAULT_ENDPOINT[tracingProtocol];
  const name = (otlpTracesEndpoint === null ? SETTINGS.otlpEndpoint : SETTINGS.otlpTracesEndpoint).env;
  if (!written.includes('://')) {
    if (tracingProtocol === 'http') throw new Error(`${name}: with http it must start with http:// or https://`);
    return new URL(`${otlpInsecure ? 'http' : 'https'}://${written}`);
  }
  const url = new URL(written);
  if (tracingProtocol === 'http' && otlpTracesEndpoint === null) {
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${TRACES_PATH}`;
  }
  return url;
}

function tlsOf({ otlpCa, otlpCert, otlpKey }: Settings): Collector['tls'] {
  const [ca, cert, key] = [SETTINGS.otlpCa, SETTINGS.otlpCert, SETTINGS.otlpKey].map(({ env }) => env);
  if ((otlpCert === null) !== (otlpKey === null)) throw new Error(`${cert} and ${key} need each other`);
  try {
    const read = {
      ...(otlpCa === null ? {} : { ca: readFileSync(otlpCa) }),
      ...(otlpCert === null || otlpKey === null ? {} : { cert: readFileSync(otlpCert), key: readFileSync(otlpKey) }),
    };
    createSecureContext(read);
    return read;
  } catch (error) {
    // Only the code: what a parser says could hold a piece of what it read.
    const { code = 'they do not serve' } = error as NodeJS.ErrnoException;
    throw new Error(`${ca}, ${cert}, ${key}: ${code}`);
  }
}
