import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { statsdExporter } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { caller, one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { page } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { service } from '../support/service.ts';
import { exporter } from './exporter.ts';
import { type Series, seriesOf } from './series.ts';

const RULES = {
  'shop.yaml': {
    domain: 'shop',
    descriptors: [
      { key: 'user', rate_limit: { unit: 'hour', requests_per_unit: 3 } },
      { key: 'quiet', shadow_mode: true, rate_limit: { unit: 'hour', requests_per_unit: 1 } },
      {
        key: 'ip',
        value_to_metric: true,
        descriptors: [{ key: 'path', detailed_metric: true, rate_limit: { unit: 'hour', requests_per_unit: 2 } }],
      },
    ],
  },
};
const FIELD = /^ratelimit_(service|localcache)_/;
/** statsd_exporter takes times off the wire as seconds, a mapping in the Go service and in weir takes milliseconds. */
const TIME_SUM = 'shop_time_sum{method=ShouldRateLimit}';

const mappingFile = (name: string) => readFile(new URL(name, import.meta.url), 'utf8');

describe('a real statsd_exporter', () => {
  const opened = closers();
  let binary = '';

  before(async function () {
    this.timeout(300_000);
    binary = await orSkip(this, statsdExporter);
  });

  async function start(mapping: string, env: Record<string, string>) {
    const receiver = await exporter(binary, mapping);
    opened(receiver, receiver.close);
    const weir = await service({
      rules: RULES,
      env: {
        STATSD_HOST: '127.0.0.1',
        STATSD_PORT: String(receiver.statsdPort),
        STATS_FLUSH_INTERVAL: '100ms',
        LOCAL_CACHE_SIZE_IN_BYTES: '1000000',
        PROMETHEUS_MAPPER_YAML: receiver.mapping,
        ...env,
      },
    });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    const calls = async (times: number) => {
      for (let i = 0; i < times; i++) {
        for (const key of ['user', 'quiet']) await client.ask(one('shop', key, `${i % 2}`));
        const entries = [
          { key: 'ip', value: '10.0.0.7' },
          { key: 'path', value: '/a:b|c.d' },
        ];
        await client.ask({ domain: 'shop', descriptors: [{ entries }] });
        await client.ask({ domain: 'nobody', descriptors: [{ entries }] });
      }
      await client.ask({ domain: '', descriptors: [] });
    };
    const seen = async (port: number, names: RegExp) => seriesOf((await page(port, '/metrics')).body, names);
    const ours = (names: RegExp) => seen(weir.metricsPort, names);
    /** Resolves when the receiver's series are these; shows the difference when they never are. */
    const receives = async (names: RegExp, expected: Series) => {
      let theirs: Series = {};
      const arrived = eventually('the receiver to be told everything', async () => {
        theirs = await seen(receiver.webPort, names);
        return text(theirs) === text(expected);
      });
      await arrived.catch(() => expect(rounded(theirs)).to.deep.equal(rounded(expected)));
    };
    return { receiver, weir, calls, ours, receives };
  }

  it('is told over TCP what PROMETHEUS_ADDR shows without a mapping file', async () => {
    const mapping = await mappingFile('built-in.yaml');
    const { calls, ours, receives } = await start(mapping, { USE_STATSD: 'true', PROMETHEUS_MAPPER_YAML: '' });
    await calls(10);
    const shown = await ours(FIELD);
    expect(shown).to.include({
      'ratelimit_service_rate_limit_over_limit{domain=shop,key1=user}': 4,
      'ratelimit_service_rate_limit_shadow_mode{domain=shop,key1=quiet}': 8,
      'ratelimit_service_rate_limit_total_hits{domain=shop,key1=ip_10_0_0_7,key2=path_/a_b_c}': 10,
      'ratelimit_service_should_rate_limit_error{err_type=service_error}': 1,
      'ratelimit_service_response_time_seconds_count{grpc_method=ShouldRateLimit}': 41,
    });
    // weir has one bound more, and its own name for domains that no rules know.
    const shared = Object.entries(shown).filter(([name]) => !name.endsWith('le=0.02}'));
    await receives(FIELD, {
      ...Object.fromEntries(shared),
      'ratelimit_service_rate_limit__unknown_domain_not_found{}': 10,
    });
  });

  it('reads the same mapping file with the same result, and 7 more calls are told when it is back', async () => {
    const { receiver, calls, ours, receives } = await start(await mappingFile('own-words.yaml'), {
      USE_STATSD: 'true',
    });
    await calls(10);
    const shown = await ours(/^(shop_|ratelimit_(service|localcache))/);
    expect(shown).to.include({
      'shop_over{domain=shop,key_text=quiet_shop}': 8,
      'shop_user_over{}': 400,
      'shop_within_limit_total{domain=shop,path=user,stat=within_limit,whole=ratelimit.service.rate_limit.shop.user.within_limit}': 6,
      'shop_time_count{method=ShouldRateLimit}': 41,
    });
    expect(Object.keys(shown).filter((name) => name.includes('total_hits'))).to.deep.equal([]);
    // Theirs has quantiles too, and seconds.
    const names = /^(shop_(?!time$)|ratelimit_(service|localcache))/;
    await receives(names, { ...shown, [TIME_SUM]: shown[TIME_SUM]! / 1_000 });

    await receiver.stop();
    await calls(7);
    await receiver.start();
    // The new process has heard nothing of the first ten.
    const more = await ours(/^shop_/);
    await receives(/^shop_within_limit_total|^shop_time_count/, {
      'shop_time_count{method=ShouldRateLimit}': more['shop_time_count{method=ShouldRateLimit}']! - 41,
    });
  });

  it('is told over UDP, with EXTRA_TAGS as tags that are labels here and there', async () => {
    const mapping = await mappingFile('built-in.yaml');
    const { calls, ours, receives } = await start(mapping, {
      USE_DOG_STATSD: 'true',
      EXTRA_TAGS: 'team:edge,az:b',
      USE_DOG_STATSD_MOGRIFIERS: 'CACHE',
      DOG_STATSD_MOGRIFIER_CACHE_PATTERN: String.raw`^ratelimit\.service\.rate_limit\.(\w+)\.(.+)\.over_limit_with_local_cache$`,
      DOG_STATSD_MOGRIFIER_CACHE_NAME: 'cached',
      DOG_STATSD_MOGRIFIER_CACHE_TAGS: 'domain:$1,key1:$2',
    });
    await calls(10);
    const shown = await ours(/^ratelimit_service_rate_limit_\w+_limit$|^ratelimit_service_total_requests/);
    expect(shown).to.include({
      'ratelimit_service_rate_limit_over_limit{az=b,domain=shop,key1=user,team=edge}': 4,
      'ratelimit_service_total_requests{az=b,grpc_method=ShouldRateLimit,team=edge}': 41,
    });
    await receives(/^ratelimit_service_rate_limit_\w+_limit$|^ratelimit_service_total_requests|^cached$/, {
      ...shown,
      'cached{az=b,domain=shop,key1=ip_10_0_0_7.path_/a_b_c.d,team=edge}': 7,
      'cached{az=b,domain=shop,key1=quiet,team=edge}': 6,
      'cached{az=b,domain=shop,key1=user,team=edge}': 2,
    });
  });
});

function rounded(series: Series): Series {
  const entries = Object.entries(series).map(([name, value]) => [name, Number(value.toPrecision(9))] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function text(series: Series): string {
  return JSON.stringify(rounded(series));
}
