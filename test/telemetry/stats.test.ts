import { expect } from 'chai';
import { StoreError } from '../../src/core/ports.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { rule } from '../support/rule.ts';
import { CACHED, charged, counted, decision, hit, loaded, request, ruleset, UNKNOWN_DOMAIN } from './decisions.ts';

describe('stats', () => {
  it('have the names of the Go service, with what moved and all gauges', () => {
    const m = metrics({ nearLimitRatio: 0.8, process: false });
    const k = rule('shop.ip_10.0.0.1.path_/a:b|c\n.d');
    const set = ruleset(['shop'], [k]);
    m.rulesLoaded(loaded(set));
    m.rulesLoaded({ ok: false, problems: [], files: 0 });
    const over = charged(k, counted(13), hit(7, { shadow: true }));
    m.decided(decision('shop', set, [over, charged(k, CACHED), UNKNOWN_DOMAIN], { shadowed: true }), 10);
    m.storeFailed(request('shop'), [], new StoreError('timeout', 't'));
    m.requestRefused(request(''), new Error('x'));
    m.called('ShouldRateLimit', 1_500);
    m.read({
      localCache: () => ({ entries: 1, lookups: 2, hits: 3, misses: 4, expired: 5, evacuated: 6, overwritten: 7 }),
    });
    const told = [...m.stats()].map((it) => `${it.name} ${it.kind === 'timer' ? it.times.sums.join('') : it.value}`);
    const ofRule = 'ratelimit.service.rate_limit.shop.ip_10_0_0_1.path_/a_b_c_.d';
    expect(told).to.have.members([
      `${ofRule}.total_hits 8`,
      `${ofRule}.over_limit 4`,
      `${ofRule}.near_limit 2`,
      `${ofRule}.shadow_mode 3`,
      `${ofRule}.over_limit_with_local_cache 1`,
      'ratelimit.service.rate_limit._unknown.domain_not_found 1',
      'ratelimit.service.call.should_rate_limit.redis_error 1',
      'ratelimit.service.call.should_rate_limit.service_error 1',
      'ratelimit.service.config_load_success 1',
      'ratelimit.service.config_load_error 1',
      'ratelimit.service.global_shadow_mode 1',
      'ratelimit_server.ShouldRateLimit.total_requests 1',
      `ratelimit_server.ShouldRateLimit.response_time ${'0'.repeat(5)}1500${'0'.repeat(13)}`,
      'ratelimit.localcache.entryCount 1',
      'ratelimit.localcache.lookupCount 2',
      'ratelimit.localcache.hitCount 3',
      'ratelimit.localcache.missCount 4',
      'ratelimit.localcache.expiredCount 5',
      'ratelimit.localcache.evacuateCount 6',
      'ratelimit.localcache.overwriteCount 7',
    ]);
  });
});
