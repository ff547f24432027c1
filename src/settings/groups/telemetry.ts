import { oneOf } from '../go-values.ts';
import { count, inGroup, optional, setting } from '../setting.ts';

export const TELEMETRY = inGroup('Telemetry', {
  logLevel: setting(
    'LOG_LEVEL',
    'level',
    'info',
    oneOf('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'),
    'Least important lines that are written.',
  ),
  logFormat: setting(
    'LOG_FORMAT',
    'text|json',
    '',
    optional(oneOf('text', 'json')),
    'Text on a terminal, else JSON, when not set.',
  ),
  maxSeriesPerDomain: setting(
    'METRICS_MAX_SERIES_PER_DOMAIN',
    'number',
    1000,
    count,
    'Metric keys that callers can make in a domain, in each worker; the rest is key1="_other".',
  ),
});
