import { readFileSync } from 'node:fs';
import type { ReadSettings } from './settings/read-settings.ts';
import { sinksOn } from './settings/sinks-on.ts';
import type { Log } from './telemetry/log.ts';
import { type Mapper, mapper } from './telemetry/mapping/mapper.ts';
import { type MappingFile, readMappings } from './telemetry/mapping/mapping-file.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { dogStatsdLine, statsdLine } from './telemetry/statsd/lines.ts';
import { mogrify } from './telemetry/statsd/mogrify.ts';
import { type Sink, statsdSink } from './telemetry/statsd/sink.ts';
import { tcpWire } from './telemetry/statsd/tcp.ts';
import { udpWire } from './telemetry/statsd/udp.ts';

/** Receivers that numbers are sent to, as the settings ask for. Throws an Error with a sentence about a bad pattern. */
export function sinks({ settings, mogrifiers }: ReadSettings, metrics: Metrics, log: Log): readonly Sink[] {
  const { statsdHost: host, statsdPort: port, extraTags, statsFlushMs: flushMs } = settings;
  const address = `${host}:${port}`;
  const common = { address, flushMs, stats: metrics.stats, trouble: log.trouble };
  const on = sinksOn(settings);
  const made: Sink[] = [];
  if (on.statsd) {
    made.push(statsdSink({ ...common, name: 'statsd', wire: tcpWire({ host, port }), line: statsdLine(extraTags) }));
  }
  if (on.dogStatsd) {
    const line = dogStatsdLine(extraTags, mogrify(mogrifiers));
    made.push(statsdSink({ ...common, name: 'dogstatsd', wire: udpWire({ host, port }), line }));
  }
  if (made.length > 0) metrics.read({ sinks: () => made.map(({ numbers }) => numbers) });
  return made;
}

/**
 * PROMETHEUS_MAPPER_YAML as a mapper; null without one, and with a warning when the file is not there, as Envoy Gateway
 * mounts one that may be absent. Throws an Error with what is wrong with the file.
 */
export function fieldMapper(path: string | null, { logger }: Log): Mapper | null {
  if (path === null) return null;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new Error(`PROMETHEUS_MAPPER_YAML: ${message}`);
    logger.warn('PROMETHEUS_MAPPER_YAML: there is no file %s; the names are those without it', path);
    return null;
  }
  const file = mappingsOf(path, text);
  for (const warning of file.warnings) logger.warn('PROMETHEUS_MAPPER_YAML: %s: %s', path, warning);
  return mapper(file);
}

function mappingsOf(path: string, text: string): MappingFile {
  try {
    return readMappings(text);
  } catch (error) {
    const lines = (error as Error).message.split('\n');
    throw new Error(lines.map((line) => `PROMETHEUS_MAPPER_YAML: ${path}: ${line}`).join('\n'));
  }
}
