import { expect } from 'chai';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { processMetrics } from '../../src/telemetry/process-metrics.ts';

describe('metrics of the process', () => {
  const names = (registry: Registry) => registry.getMetricsAsArray().map(({ name }) => name);

  it('are all of prom-client’s but the time of garbage collections and three gauges named like counters', () => {
    const all = new Registry();
    collectDefaultMetrics({ register: all });
    const ours = names(processMetrics());
    expect(names(all).filter((name) => !ours.includes(name))).to.have.members([
      'nodejs_gc_duration_seconds',
      'nodejs_active_handles_total',
      'nodejs_active_requests_total',
      'nodejs_active_resources_total',
    ]);
    expect(names(all)).to.include.members(ours);
  });

  it('have values when they are asked for', async () => {
    const text = await processMetrics().metrics();
    expect(text).to.match(/^process_resident_memory_bytes [1-9]\d+$/m);
    expect(text).to.match(/^nodejs_heap_space_size_used_bytes\{space="old"\} [1-9]\d+$/m);
    expect(text).to.match(/^nodejs_eventloop_lag_p99_seconds \S+$/m);
  });
});
