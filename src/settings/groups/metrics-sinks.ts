import { goList, integerBetween, pairs } from '../go-values.ts';
import { atLeastOneMs, bool, inGroup, path, setting, text } from '../setting.ts';

export const METRICS_SINKS = inGroup('Metrics sinks', {
  disableStats: bool('DISABLE_STATS', false, 'No PROMETHEUS_ADDR and no statsd, whatever else is set.'),
  extraTags: setting(
    'EXTRA_TAGS',
    'k:v,k:v',
    '',
    pairs(':'),
    'On every metric: labels for Prometheus, tags for statsd.',
  ),
  prometheusMapper: path(
    'PROMETHEUS_MAPPER_YAML',
    'Mapping file of statsd_exporter: how PROMETHEUS_ADDR names what the Go service tells too.',
  ),
  responseTimeAsMs: bool(
    'PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS',
    false,
    'On PROMETHEUS_ADDR, without a mapping file: milliseconds under the name that says seconds.',
  ),
  useStatsd: bool('USE_STATSD', false, 'Send metrics to a statsd over TCP.'),
  useDogStatsd: bool('USE_DOG_STATSD', false, 'Send metrics to a DogStatsD over UDP.'),
  statsdHost: setting('STATSD_HOST', 'address', 'localhost', text, 'Where both are.'),
  statsdPort: setting('STATSD_PORT', 'port', 8125, integerBetween(1, 65_535), 'Their port.'),
  statsFlushMs: setting('STATS_FLUSH_INTERVAL', 'duration', '10s', atLeastOneMs, 'How often they are told.'),
  dogStatsdMogrifiers: setting(
    'USE_DOG_STATSD_MOGRIFIERS',
    'A,B',
    '',
    goList,
    'Rewrites of DogStatsD names: the first of DOG_STATSD_MOGRIFIER_A_PATTERN, ... that fits gives _A_NAME and _A_TAGS.',
  ),
});
