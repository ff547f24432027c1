import { createRequire } from 'node:module';
import { collectDefaultMetrics, Registry } from 'prom-client';

type Register = (registry: Registry) => void;

const required = createRequire(import.meta.url);
/** Gauges of prom-client named like counters; the families without the ending tell the same by type. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/**
 * What prom-client tells of a Node process: CPU, memory, event loop, handles. All but how long garbage collections take:
 * of each, Node makes an object for whoever observes them, some kB that only a full collection frees, and under load
 * there are many a second (https://github.com/prometheus/client_js/issues/490). The files of the others are required one
 * by one, because prom-client has no option to leave one out.
 */
export function processMetrics(): Registry {
  const registry = new Registry();
  for (const name of collectDefaultMetrics.metricsList) {
    if (name !== 'gc') (required(`prom-client/lib/metrics/${name}.js`) as Register)(registry);
  }
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}
