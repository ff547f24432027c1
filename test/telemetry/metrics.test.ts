import { expect } from 'chai';
import type { Decision } from '../../src/core/decision.ts';
import { limit } from '../../src/core/limit.ts';
import { NoRulesError, StoreError } from '../../src/core/ports.ts';
import { RequestError } from '../../src/core/request.ts';
import { mapper } from '../../src/telemetry/mapping/mapper.ts';
import { readMappings } from '../../src/telemetry/mapping/mapping-file.ts';
import { type Metrics, metrics } from '../../src/telemetry/metrics.ts';
import { rule } from '../support/rule.ts';
import {
  CACHED,
  charged,
  chargedAll,
  counted,
  decision,
  hit,
  loaded,
  request,
  ruleset,
  UNKNOWN_DOMAIN,
} from './decisions.ts';

const K = rule('shop.k');
const SHOP = ruleset(['shop'], [K]);

function meter(part: Partial<Parameters<typeof metrics>[0]> = {}): Metrics {
  const made = metrics({ nearLimitRatio: 0.8, process: false, ...part });
  made.rulesLoaded(loaded(SHOP));
  return made;
}

async function lines(of: Metrics, pattern: RegExp, registry = of.registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => pattern.test(line));
}

/** What is told of a domain's decisions, zeros too. */
function decisions(domain: string, ok: number, overLimit: number, error: number): string[] {
  const told = (code: string, value: number) => `ratelimit_decisions_total{domain="${domain}",code="${code}"} ${value}`;
  return [told('ok', ok), told('over_limit', overLimit), told('error', error)];
}

/** The series of rules, without their common beginning. */
async function ruleSeries(of: Metrics): Promise<string[]> {
  const found = await lines(of, /^ratelimit_service_rate_limit_/);
  return found.map((line) => line.slice('ratelimit_service_rate_limit_'.length)).sort();
}

const decide = (of: Metrics, ...verdicts: Decision['verdicts']) => of.decided(decision('shop', SHOP, verdicts), 60);

describe('metrics of rules', () => {
  it('tells 4 hits on a limit of 10 and leaves out what never moved', async () => {
    const m = meter();
    decide(m, charged(K, counted(4), hit(4)));
    expect(await ruleSeries(m)).to.deep.equal([
      'total_hits{domain="shop",key1="k"} 4',
      'within_limit{domain="shop",key1="k"} 4',
    ]);
    expect(await lines(m, /^# TYPE ratelimit_service_/)).to.deep.equal([
      '# TYPE ratelimit_service_rate_limit_total_hits counter',
      '# TYPE ratelimit_service_rate_limit_within_limit counter',
      '# TYPE ratelimit_service_config_load_success counter',
    ]);
  });

  it('tells near, over and shadow of a shadow rule that goes from 6 to 13 of 10', async () => {
    const m = meter();
    decide(m, charged(K, counted(13), hit(7, { shadow: true })));
    expect(await ruleSeries(m)).to.deep.equal([
      'near_limit{domain="shop",key1="k"} 2',
      'over_limit{domain="shop",key1="k"} 3',
      'shadow_mode{domain="shop",key1="k"} 3',
      'total_hits{domain="shop",key1="k"} 7',
    ]);
  });

  it('tells hits on the over-limit cache under a name that holds the key', async () => {
    const m = meter();
    decide(m, charged(K, CACHED, hit(2)));
    expect(await ruleSeries(m)).to.include.members([
      'shop_k_over_limit_with_local_cache 2',
      'over_limit{domain="shop",key1="k"} 2',
    ]);
    expect(await lines(m, /^# TYPE .*local_cache/)).to.deep.equal([
      '# TYPE ratelimit_service_rate_limit_shop_k_over_limit_with_local_cache counter',
    ]);
  });

  it('makes no series for a look with 0 hits', async () => {
    const m = meter();
    decide(m, charged(K, counted(0), hit(0)));
    expect(await ruleSeries(m)).to.deep.equal([]);
  });

  it('counts a refund of 5 under its domain and nowhere else', async () => {
    const m = meter();
    decide(m, charged(K, counted(0), hit(-5)));
    expect(await ruleSeries(m)).to.deep.equal([]);
    expect(await lines(m, /^ratelimit_refunded/)).to.deep.equal(['ratelimit_refunded_hits_total{domain="shop"} 5']);
  });

  it('counts total_hits when the store failed, and nothing else of the rule', async () => {
    const m = meter();
    m.storeFailed(
      request('shop'),
      [
        { hit: hit(3), metric: 'shop.k' },
        { hit: hit(-2), metric: 'shop.k' },
      ],
      new StoreError('timeout', 'the store did not answer in time'),
    );
    expect(await ruleSeries(m)).to.deep.equal(['total_hits{domain="shop",key1="k"} 3']);
    expect(await lines(m, /^ratelimit_(service_should|decisions|refunded)/)).to.have.members([
      'ratelimit_service_should_rate_limit_error{err_type="redis_error"} 1',
      ...decisions('shop', 0, 0, 1),
      'ratelimit_refunded_hits_total{domain="shop"} 2',
    ]);
  });

  const minute = limit({ requestsPerUnit: 10, unit: 'minute' }, { series: '@minute' });
  const hour = limit({ requestsPerUnit: 100, unit: 'hour' }, { series: '@hour' });
  const TWICE = rule('shop.k', { limits: [minute, hour] });
  const both = (used: number, cost = 1) =>
    chargedAll(TWICE, [
      [hit(cost, { limit: minute }), counted(used)],
      [hit(cost, { limit: hour }), counted(used)],
    ]);

  it('has a series for each limit of a rule with several: 12 are over 10 a minute and within 100 an hour', async () => {
    const m = meter();
    decide(m, both(12, 4));
    expect(await ruleSeries(m)).to.deep.equal([
      'near_limit{domain="shop",key1="k@minute"} 2',
      'over_limit{domain="shop",key1="k@minute"} 2',
      'total_hits{domain="shop",key1="k@hour"} 4',
      'total_hits{domain="shop",key1="k@minute"} 4',
      'within_limit{domain="shop",key1="k@hour"} 4',
    ]);
  });

  it('counts a bucket against what it holds, 30, and not against its rate of 10', async () => {
    const bucket = limit({ requestsPerUnit: 10, unit: 'minute', algorithm: 'token_bucket', burst: 30 });
    const m = meter();
    decide(m, charged(rule('shop.k', { limits: [bucket] }), counted(20), hit(1, { limit: bucket })));
    expect(await ruleSeries(m)).to.deep.equal([
      'total_hits{domain="shop",key1="k"} 1',
      'within_limit{domain="shop",key1="k"} 1',
    ]);
  });

  it('tells what a request gave back once, however many limits it came back to', async () => {
    const m = meter();
    decide(m, both(0, -5), charged(K, counted(0), hit(-2)));
    expect(await lines(m, /^ratelimit_refunded/)).to.deep.equal(['ratelimit_refunded_hits_total{domain="shop"} 7']);
    const back = (of: number, by: number) => ({ hit: hit(-by, { of }), metric: 'shop.k' });
    m.storeFailed(request('shop'), [back(0, 5), back(0, 5), back(1, 2)], new StoreError('timeout', 'late'));
    expect(await lines(m, /^ratelimit_refunded/)).to.deep.equal(['ratelimit_refunded_hits_total{domain="shop"} 14']);
  });

  it('keeps the series of live limits beyond the bound of series, and those of limits that are gone within it', async () => {
    const m = metrics({ nearLimitRatio: 0.8, process: false, maxSeriesPerDomain: 1 });
    m.rulesLoaded(loaded(ruleset(['shop'], [TWICE])));
    decide(m, both(1));
    const once = rule('shop.k', { limits: [hour] });
    m.rulesLoaded(loaded(ruleset(['shop'], [TWICE], 2)));
    decide(m, charged('shop.made', counted(1)), charged('shop.up', counted(1)));
    expect((await ruleSeries(m)).filter((line) => line.startsWith('total_hits'))).to.deep.equal([
      'total_hits{domain="shop",key1="_other"} 1',
      'total_hits{domain="shop",key1="k@hour"} 1',
      'total_hits{domain="shop",key1="k@minute"} 1',
      'total_hits{domain="shop",key1="made"} 1',
    ]);
    m.rulesLoaded(loaded(ruleset(['shop'], [once], 3)));
    expect((await ruleSeries(m)).filter((line) => line.startsWith('total_hits'))).to.deep.equal([
      'total_hits{domain="shop",key1="_other"} 1',
      'total_hits{domain="shop",key1="k@hour"} 1',
      'total_hits{domain="shop",key1="made"} 1',
    ]);
  });

  it('goes on counting on the same series after a reload', async () => {
    const m = meter();
    decide(m, charged(K, counted(1)));
    const again = rule('shop.k');
    const next = ruleset(['shop'], [again], 2);
    m.rulesLoaded(loaded(next));
    m.decided(decision('shop', next, [charged(again, counted(2))]), 60);
    expect(await ruleSeries(m)).to.include('total_hits{domain="shop",key1="k"} 2');
  });

  it('counts an override on the series of the rule with the same metric key', async () => {
    const m = meter();
    decide(m, charged('shop.k', counted(1)), charged(K, counted(2)), charged('shop.k', counted(3)));
    expect(await ruleSeries(m)).to.include('total_hits{domain="shop",key1="k"} 3');
  });
});

describe('bounds of metrics', () => {
  it('gives 3 made keys their series and counts the other 997 as _other, when the bound is 3', async () => {
    const m = meter({ maxSeriesPerDomain: 3 });
    for (let i = 0; i < 1000; i++) decide(m, charged(`shop.user_${i}`, counted(1)));
    expect((await ruleSeries(m)).filter((line) => line.startsWith('total_hits'))).to.deep.equal([
      'total_hits{domain="shop",key1="_other"} 997',
      'total_hits{domain="shop",key1="user_0"} 1',
      'total_hits{domain="shop",key1="user_1"} 1',
      'total_hits{domain="shop",key1="user_2"} 1',
    ]);
  });

  it('gives a rule its own series when the bound is reached, also when the store fails first', async () => {
    const m = meter({ maxSeriesPerDomain: 0 });
    m.storeFailed(request('shop'), [{ hit: hit(1), metric: 'shop.k' }], new StoreError('timeout', 't'));
    m.storeFailed(request('shop'), [{ hit: hit(1), metric: 'shop.made' }], new StoreError('timeout', 't'));
    decide(m, charged(K, counted(1)));
    expect((await ruleSeries(m)).filter((line) => line.startsWith('total_hits'))).to.deep.equal([
      'total_hits{domain="shop",key1="_other"} 1',
      'total_hits{domain="shop",key1="k"} 2',
    ]);
  });

  it('counts a made key of 2,000 characters as _other', async () => {
    const m = meter();
    decide(m, charged(`shop.${'x'.repeat(2000)}`, counted(1)));
    expect(await ruleSeries(m)).to.include('total_hits{domain="shop",key1="_other"} 1');
  });

  it('gives 1000 unknown domains one series of decisions and one of descriptors not found', async () => {
    const m = meter();
    for (let i = 0; i < 1000; i++) m.decided(decision(`nobody-${i}`, SHOP, [UNKNOWN_DOMAIN, UNKNOWN_DOMAIN]), 9);
    m.requestRefused(request('nobody'), new RequestError('too many'));
    expect(await lines(m, /^ratelimit_(decisions|domain)/)).to.have.members([
      ...decisions('_unknown', 1000, 0, 1),
      'ratelimit_domain_not_found_total 2000',
    ]);
  });

  it('counts what could not be read as an error of no known domain, and not as an error of the service', async () => {
    const m = metrics({ nearLimitRatio: 0.8, process: false });
    m.requestRefused(null, new Error('cut short'));
    const told = await m.registry.metrics();
    expect(told).to.include('ratelimit_decisions_total{domain="_unknown",code="error"} 1');
    expect(told).to.not.include('should_rate_limit_error');
  });

  it('keeps the numbers of a domain that left the rules, and counts what still asks for it as unknown', async () => {
    const m = meter();
    decide(m, charged(K, counted(1)));
    const empty = ruleset([], [], 2);
    m.rulesLoaded(loaded(empty));
    m.decided(decision('shop', empty, [UNKNOWN_DOMAIN]), 9);
    expect(await ruleSeries(m)).to.include('total_hits{domain="shop",key1="k"} 1');
    expect(await lines(m, /^ratelimit_decisions/)).to.have.members([
      ...decisions('shop', 1, 0, 0),
      ...decisions('_unknown', 1, 0, 0),
    ]);
    m.rulesLoaded(loaded(SHOP));
    decide(m, charged(K, counted(2)));
    expect(await lines(m, /^ratelimit_decisions.*shop/)).to.deep.equal(decisions('shop', 2, 0, 0));
  });

  it('keeps 100 domains that left the rules and forgets those that left before them', async () => {
    const m = meter();
    for (let i = 0; i < 150; i++) {
      const name = `gone-${i}`;
      const set = ruleset([name], [rule(`${name}.k`)], i + 2);
      m.rulesLoaded(loaded(set));
      m.decided(decision(name, set, [charged(set.rules[0]!, counted(1))]), 9);
    }
    const told = await lines(m, /^ratelimit_decisions.*code="ok"/);
    expect(told).to.have.length(101);
    expect(told.join()).to.include('gone-149').and.not.include('gone-0"');
  });

  it('forgets rules that are gone where the bound leaves no room for them', async () => {
    const m = meter({ maxSeriesPerDomain: 2 });
    for (let generation = 2; generation < 50; generation++) {
      const own = rule(`shop.k${generation}`);
      const set = ruleset(['shop'], [own], generation);
      m.rulesLoaded(loaded(set));
      m.decided(decision('shop', set, [charged(own, counted(1))]), 9);
    }
    const told = (await ruleSeries(m)).filter((line) => line.startsWith('total_hits'));
    expect(told).to.have.length(3);
    expect(told).to.include('total_hits{domain="shop",key1="k49"} 1');
  });

  it('never tells one series twice, when sanitising makes keys equal', async () => {
    const m = meter();
    const keys = [
      'shop.a:b',
      'shop.a|b',
      'shop.a_b',
      'shop.k_\udc80',
      'shop.k_\udc81',
      'shop.k',
      'shop.k.',
      'shop.x.y.1',
      'shop.x.y.2',
    ];
    for (const key of keys) decide(m, charged(key, CACHED));
    const series = (await lines(m, /^ratelimit_/)).map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(series).to.have.length(new Set(series).size);
    expect(await ruleSeries(m)).to.include.members([
      'total_hits{domain="shop",key1="a_b"} 3',
      'total_hits{domain="shop",key1="k"} 2',
      'total_hits{domain="shop",key1="k_\ufffd"} 2',
      'total_hits{domain="shop",key1="x",key2="y"} 2',
    ]);
  });

  it('counts a domain that is really called _unknown together with those that are', async () => {
    const m = meter();
    const set = ruleset(['_unknown'], [], 2);
    m.rulesLoaded(loaded(set));
    m.decided(decision('_unknown', set, []), 9);
    m.decided(decision('nobody', set, [UNKNOWN_DOMAIN]), 9);
    expect(await lines(m, /^ratelimit_decisions/)).to.deep.equal(decisions('_unknown', 2, 0, 0));
  });

  it('escapes quotes, backslashes and line ends of a key', async () => {
    const m = meter();
    decide(m, charged('shop.a"b\\c\nd', counted(1)));
    expect(await ruleSeries(m)).to.include('total_hits{domain="shop",key1="a\\"b\\\\c\\nd"} 1');
  });
});

describe('metrics of calls', () => {
  it('counts decisions by domain and answer', async () => {
    const m = meter();
    decide(m, charged(K, counted(1)));
    m.decided(decision('shop', SHOP, [], { outcome: 'over_limit' }), 60);
    m.decided(decision('shop', SHOP, [], { shadowed: true }), 60);
    expect(await lines(m, /^ratelimit_(decisions|service_global)/)).to.have.members([
      ...decisions('shop', 2, 1, 0),
      'ratelimit_service_global_shadow_mode 1',
    ]);
  });

  it('counts a refused request as service_error, and under its domain when rules know it', async () => {
    const m = meter();
    m.requestRefused(request(''), new RequestError('rate limit domain must not be empty'));
    m.requestRefused(request('shop'), new NoRulesError());
    expect(await lines(m, /^ratelimit_(service_should|decisions)/)).to.have.members([
      'ratelimit_service_should_rate_limit_error{err_type="service_error"} 2',
      ...decisions('_unknown', 0, 0, 1),
      ...decisions('shop', 0, 0, 1),
    ]);
  });

  it('tells gRPC calls by method with their time in seconds', async () => {
    const m = meter();
    m.called('ShouldRateLimit', 1500);
    m.called('ShouldRateLimit', 400);
    m.called('Check', 100);
    expect(await lines(m, /^ratelimit_service_(total_requests|response_time_seconds_(count|sum))/)).to.have.members([
      'ratelimit_service_total_requests{grpc_method="ShouldRateLimit"} 2',
      'ratelimit_service_total_requests{grpc_method="Check"} 1',
      'ratelimit_service_response_time_seconds_sum{grpc_method="ShouldRateLimit"} 0.0019',
      'ratelimit_service_response_time_seconds_count{grpc_method="ShouldRateLimit"} 2',
      'ratelimit_service_response_time_seconds_sum{grpc_method="Check"} 0.0001',
      'ratelimit_service_response_time_seconds_count{grpc_method="Check"} 1',
    ]);
    expect(await lines(m, /response_time_seconds_bucket\{grpc_method="ShouldRateLimit",le="0.0005"\}/)).to.deep.equal([
      'ratelimit_service_response_time_seconds_bucket{grpc_method="ShouldRateLimit",le="0.0005"} 1',
    ]);
  });

  it('tells decisions, store round trips and batches as histograms', async () => {
    const m = meter();
    decide(m, charged(K, counted(1)));
    m.storeAnswered(200, 5);
    expect(await lines(m, /^ratelimit_(decision_seconds|store_\w+)_count/)).to.deep.equal([
      'ratelimit_decision_seconds_count 1',
      'ratelimit_store_seconds_count 1',
      'ratelimit_store_batch_hits_count 1',
    ]);
    expect(await lines(m, /^ratelimit_store_batch_hits_bucket\{le="(4|8)"\}/)).to.deep.equal([
      'ratelimit_store_batch_hits_bucket{le="4"} 0',
      'ratelimit_store_batch_hits_bucket{le="8"} 1',
    ]);
  });
});

describe('metrics of the state', () => {
  it('counts loads and refusals, and tells problems until a good set comes', async () => {
    const m = meter();
    const problem = { file: 'a.yaml', line: 1, column: 1, message: 'bad', hint: '', source: '' };
    m.rulesLoaded({ ok: false, problems: [problem, problem], files: 1 });
    const state = /^ratelimit_(service_config|rules)/;
    expect(await lines(m, state)).to.deep.equal([
      'ratelimit_service_config_load_success 1',
      'ratelimit_service_config_load_error 1',
      'ratelimit_rules_generation 1',
      'ratelimit_rules 1',
      'ratelimit_rules_problems 2',
    ]);
    m.rulesLoaded(loaded(ruleset([], [], 2)));
    expect(await lines(m, /^ratelimit_rules_(gen|prob)/)).to.deep.equal([
      'ratelimit_rules_generation 2',
      'ratelimit_rules_problems 0',
    ]);
  });

  it('tells counters of its own from the start, at 0, and those of the Go service when they have moved', async () => {
    const told = await meter().registry.metrics();
    expect(told).to.include('ratelimit_bugs_total 0\n').and.include('ratelimit_callers_gone_total 0\n');
    expect(told).to.not.match(/service_global_shadow_mode|config_load_error/);
  });

  it('tells hits that a failure policy answers from the start, at 0, and counts 3', async () => {
    const series = 'ratelimit_store_fallback_total{policy="local",because="breaker_open"}';
    const made = meter();
    expect(await made.registry.metrics()).to.include(`${series} 0\n`);
    made.storeFellBack('local', 'breaker_open', 3);
    expect(await made.registry.metrics()).to.include(`${series} 3\n`);
  });

  it('asks others at the scrape: in flight, store, over-limit cache', async () => {
    const m = meter({ version: '1.2.3' });
    let inFlight = 0;
    m.read({ inFlight: () => inFlight, storeKind: 'redis' });
    const cache = { entries: 1, lookups: 4, hits: 2, misses: 2, expired: 0, evacuated: 0, overwritten: 0 };
    m.read({ localCache: () => cache });
    inFlight = 3;
    expect(await lines(m, /^(ratelimit_in_flight|weir_)/)).to.have.members([
      'ratelimit_in_flight 3',
      'weir_store_info{kind="redis"} 1',
      'weir_build_info{version="1.2.3"} 1',
    ]);
    expect(await lines(m, /^ratelimit_localcache_(entry|hit|miss|lookup|overwrite)/)).to.have.members([
      'ratelimit_localcache_entryCount 1',
      'ratelimit_localcache_hitCount 2',
      'ratelimit_localcache_lookupCount 4',
      'ratelimit_localcache_missCount 2',
      'ratelimit_localcache_overwriteCount 0',
    ]);
  });

  it('tells the process too, once in each registry', async () => {
    const m = meter({ process: true });
    for (const registry of [m.registry, m.fieldRegistry]) {
      expect(await lines(m, /^process_resident_memory_bytes /, registry)).to.have.length(1);
    }
  });

  it('tells the process where a mapping makes the same name, and of the conflict', async () => {
    const file = "mappings: [{match: 'ratelimit.service.config_load_success', name: process_cpu_seconds_total}]";
    const conflicts: string[] = [];
    const onConflict = (name: string) => void conflicts.push(name);
    const m = meter({ process: true, mapper: mapper(readMappings(file)), onConflict });
    expect(await lines(m, /^# TYPE process_cpu_seconds_total /, m.fieldRegistry)).to.have.length(1);
    expect(conflicts).to.include('process_cpu_seconds_total');
  });

  it('leaves out of the field registry only its own families that carry a domain', async () => {
    const m = meter();
    decide(m, charged(K, counted(1)), charged(K, counted(0), hit(-1)));
    const all = await lines(m, /^\w/);
    const field = await lines(m, /^\w/, m.fieldRegistry);
    expect(all.filter((line) => !field.includes(line))).to.deep.equal([
      ...decisions('shop', 1, 0, 0),
      'ratelimit_refunded_hits_total{domain="shop"} 1',
    ]);
  });
});
