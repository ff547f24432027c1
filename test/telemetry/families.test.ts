import { expect } from 'chai';
import { CallerGoneError } from '../../src/core/ports.ts';
import { FAMILIES, METRIC_HEADING, metricRows } from '../../src/telemetry/families.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { rule } from '../support/rule.ts';
import { CACHED, charged, counted, decision, hit, loaded, ruleset, UNKNOWN_DOMAIN } from './decisions.ts';

describe('the table of metrics', () => {
  it('has a row per family, as wide as its heading', () => {
    expect(metricRows()).to.have.length(Object.keys(FAMILIES).length);
    const width = METRIC_HEADING[0].split('|').length;
    for (const row of metricRows()) expect(row.split('|'), row).to.have.length(width);
  });

  it('holds every family that a scrape tells, with the labels it tells', async () => {
    const m = metrics({ nearLimitRatio: 0.8, process: false, version: '1' });
    const k = rule('shop.k');
    const set = ruleset(['shop'], [k]);
    m.rulesLoaded(loaded(set));
    m.rulesLoaded({ ok: false, problems: [], files: 0 });
    const verdicts = [
      charged(k, counted(13), hit(7, { shadow: true })),
      charged(k, counted(2)),
      charged(k, CACHED),
      charged(k, counted(0), hit(-1)),
    ];
    m.decided(decision('shop', set, [...verdicts, UNKNOWN_DOMAIN], { shadowed: true }), 10);
    m.requestRefused({ domain: '', descriptors: [], hits: 0 }, new Error('x'));
    m.requestRefused({ domain: '', descriptors: [], hits: 0 }, new CallerGoneError());
    m.called('Check', 1);
    m.bug();
    const cache = { entries: 1, lookups: 1, hits: 1, misses: 1, expired: 1, evacuated: 1, overwritten: 1 };
    const breakers = { states: { closed: 1, open: 0, half_open: 0 }, openings: 1, refusals: 1 };
    m.read({ storeKind: 'memory', localCache: () => cache, breakers: () => breakers });
    m.read({ xds: () => ({ connected: true, connects: 1, accepted: 1, refused: 0, acceptedAtMs: 1 }) });
    m.read({ sinks: () => [{ name: 'statsd', sent: 1, lost: 0 }] });
    const refused = new Map([['expired', 1]]);
    m.read({
      grpc: () => ({ connections: 1, ended: new Map([['max_resets', 1]]), refused: new Map([['max_streams', 1]]) }),
    });
    m.read({ tls: () => ({ validToSeconds: 1, reloads: 1, refusals: 1, refused }) });
    m.read({ spans: () => ({ sent: 1, failed: 0, dropped: 0 }) });
    m.storeFellBack('allow', 'store_down', 1);
    m.read({ redis: () => [{ name: 'main', connections: 1, connects: 1, reconnects: 0, errors: { timeout: 0 } }] });

    const told = await m.registry.getMetricsAsJSON();
    const rows = new Map<string, (typeof FAMILIES)[keyof typeof FAMILIES]>(
      Object.values(FAMILIES).map((row) => [row.name, row]),
    );
    for (const { name, type, values } of told) {
      const row = name.endsWith('_local_cache') ? FAMILIES.overLimitWithLocalCache : rows.get(name);
      expect(row, name).to.include({ type: type as unknown as string });
      const labels: readonly string[] = row!.labels;
      for (const value of values) expect([...labels, 'le'], name).to.include.members(Object.keys(value.labels));
    }
    expect(told).to.have.length(rows.size);
  });
});
