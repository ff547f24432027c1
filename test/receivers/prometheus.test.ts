import { expect } from 'chai';
import { caller, one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { service } from '../support/service.ts';
import { skip } from '../support/skip.ts';
import { prometheus, promtoolComplaints } from './prometheus.ts';

const domain = (name: string, requests: number) => ({
  domain: name,
  descriptors: [{ key: 'user', rate_limit: { unit: 'hour', requests_per_unit: requests } }],
});
const RULES = { 'shop.yaml': domain('shop', 3), 'bank.yaml': domain('bank', 8) };

/** Names that are kept as the Go service has them. */
const NO_TOTAL = 'counter metrics should have "_total" suffix';
const CAMEL_CASE = "metric names should be written in 'snake_case' not 'camelCase'";
const KEPT: Readonly<Record<string, string>> = {
  ratelimit_service_rate_limit_total_hits: NO_TOTAL,
  ratelimit_service_rate_limit_over_limit: NO_TOTAL,
  ratelimit_service_rate_limit_near_limit: NO_TOTAL,
  ratelimit_service_rate_limit_within_limit: NO_TOTAL,
  ratelimit_service_rate_limit_shadow_mode: NO_TOTAL,
  ratelimit_service_rate_limit_shop_user_over_limit_with_local_cache: NO_TOTAL,
  ratelimit_service_rate_limit_bank_user_over_limit_with_local_cache: NO_TOTAL,
  ratelimit_service_should_rate_limit_error: NO_TOTAL,
  ratelimit_service_config_load_success: NO_TOTAL,
  ratelimit_service_config_load_error: NO_TOTAL,
  ratelimit_service_total_requests: NO_TOTAL,
  ratelimit_service_global_shadow_mode: NO_TOTAL,
  ratelimit_localcache_entryCount: CAMEL_CASE,
  ratelimit_localcache_evacuateCount: CAMEL_CASE,
  ratelimit_localcache_expiredCount: CAMEL_CASE,
  ratelimit_localcache_hitCount: CAMEL_CASE,
  ratelimit_localcache_lookupCount: CAMEL_CASE,
  ratelimit_localcache_missCount: CAMEL_CASE,
  ratelimit_localcache_overwriteCount: CAMEL_CASE,
};

describe('a real Prometheus', () => {
  const opened = closers();

  before(function () {
    if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
  });

  it('scrapes PROMETHEUS_ADDR and answers 7 and 2 over the limit, by domain; promtool minds only kept names', async () => {
    const weir = await service({ rules: RULES, env: { LOCAL_CACHE_SIZE_IN_BYTES: '1000000' } });
    opened(weir, weir.close);
    const server = await prometheus(weir.metricsPort);
    opened(server, server.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    for (let i = 0; i < 10; i++) {
      for (const name of ['shop', 'bank']) await client.ask(one(name, 'user', 'ann'));
    }
    await client.ask({ domain: '', descriptors: [] });
    await eventually(
      'Prometheus to know what was over the limit',
      async () => {
        const over = await server.query('sum by (domain) (ratelimit_service_rate_limit_over_limit)');
        return over.shop === 7 && over.bank === 2;
      },
      60_000,
    );
    const { body } = await page(weir.metricsPort, '/metrics');
    const complaints = Object.entries(promtoolComplaints(body));
    expect(complaints.filter(([name, what]) => KEPT[name] !== what)).to.deep.equal([]);
    expect(complaints).to.have.lengthOf.above(10);
  });
});
