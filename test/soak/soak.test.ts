import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { RateLimitRequest } from '../../src/grpc/client.ts';
import { caller, one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric, page } from '../service/page.ts';
import { traffic } from '../service/traffic.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import { megabytes, results } from './results.ts';

const REQUESTS = Number(process.env.SOAK_REQUESTS || 1_000_000);
const RELOADS = Number(process.env.SOAK_RELOADS || 1_000);
const IN_FLIGHT = 256;
const SERIES_BOUND = 1_000;
const MAX_KEYS = 10_000;
const MEGABYTE = 1_000_000;
const MINUTE_MS = 60_000;

const rss = (weir: Service) => metric(weir.httpPort, 'process_resident_memory_bytes');

describe('a long run', function () {
  this.timeout(15 * MINUTE_MS);
  const opened = closers();
  const { figure, write } = results('Series, counters and reloads');

  after(function () {
    if (!this.test?.parent?.tests.some((it) => it.isFailed())) write();
  });

  it(`keeps series at the bound and memory within 100 MB over ${REQUESTS} requests of unique values and an override`, async () => {
    // Few counters, so that what grows is not the store, whose memory the next case measures.
    const weir = await service({
      rules: { 'd.yaml': ruleSet(0) },
      env: { MEMORY_MAX_KEYS: String(MAX_KEYS), METRICS_MAX_SERIES_PER_DOMAIN: String(SERIES_BOUND) },
    });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    let next = 0;
    let ok = 0;
    const limit = { requestsPerUnit: 10, unit: 'HOUR' };
    const request = (i: number): RateLimitRequest => ({
      domain: 'd',
      descriptors: [{ entries: [{ key: 'address', value: `10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}` }], limit }],
    });
    const callers = async (until: number) => {
      const one = async () => {
        while (next < until) if ((await client.ask(request(next++))) === 'OK') ok++;
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, one));
    };

    const idle = await rss(weir);
    const warmUp = Math.min(20_000, REQUESTS / 10);
    await callers(warmUp);
    const warm = await rss(weir);
    const began = Date.now();
    await callers(REQUESTS);
    const seconds = (Date.now() - began) / 1_000;
    const end = await rss(weir);
    expect(ok).to.equal(REQUESTS);

    const { body } = await page(weir.httpPort, '/metrics');
    const series = body.match(/^ratelimit_service_rate_limit_total_hits\{domain="d"/gm)?.length;
    figure('requests over gRPC, each with a value of its own and an override', REQUESTS);
    figure('their series, METRICS_MAX_SERIES_PER_DOMAIN=1000', `${series}`);
    figure('bytes of /metrics then', body.length);
    figure('RSS idle, after the first calls, at the end', [idle, warm, end].map(megabytes).join(', '));
    figure('calls per second, caller on the same machine', Math.round((REQUESTS - warmUp) / seconds));
    expect(series).to.equal(SERIES_BOUND + 1);
    expect(end - idle, 'bytes of growth').to.be.below(100 * MEGABYTE);
  });

  it('holds 1,000,000 counters in memory below 300 MB, and leaks none of those that are pushed out', () => {
    const script = fileURLToPath(new URL('./million-keys.ts', import.meta.url));
    const args = ['--expose-gc', '--import=tsx', script];
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
    const { keys, before, full, turnedOver, inUse } = JSON.parse(printed) as Record<string, number>;
    figure('counters in a memory store', keys!);
    figure('RSS before and with them', [before!, full!].map(megabytes).join(', '));
    figure('RSS after 2,000,000 more, each in place of an old one', megabytes(turnedOver!));
    figure('of that in use, the rest is garbage not yet collected', megabytes(inUse!));
    expect(keys).to.equal(1_000_000);
    expect(full).to.be.below(300 * MEGABYTE);
    expect(inUse).to.be.below(300 * MEGABYTE);
  });

  it(`reloads ${RELOADS} times under load, fails no call, and does not grow`, async () => {
    const weir = await service({ rules: { 'd.yaml': ruleSet(0) }, configMap: true });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    const load = traffic(client, one('d', 'steady', 'ann'));
    const reload = async (i: number) => {
      await weir.swap({ 'd.yaml': ruleSet(i) });
      await eventually(`generation ${i + 1}`, async () => {
        const { statuses } = await client.check(one('d', 'told', 'x', 0));
        return statuses[0]!.currentLimit!.requestsPerUnit === FIRST_TOLD + i;
      });
    };
    const idle = await rss(weir);
    let warm = 0;
    for (let i = 1; i <= RELOADS; i++) {
      await reload(i);
      if (i === Math.ceil(RELOADS / 4)) warm = await rss(weir);
    }
    const end = await rss(weir);
    const answers = await load.end();
    figure(`reloads of ${RULES} rules under load`, RELOADS);
    figure('calls meanwhile, none failed', answers.OK ?? 0);
    figure('RSS idle, after a quarter of them, at the end', [idle, warm, end].map(megabytes).join(', '));
    expect(Object.keys(answers)).to.deep.equal(['OK']);
    expect(end - warm, 'bytes of growth').to.be.below(30 * MEGABYTE);
  });
});

const RULES = 500;
const FIRST_TOLD = 1_000;

/** Many rules, so that a set which is kept would be seen; half of their keys are new each time. */
function ruleSet(i: number): object {
  const limit = (requests: number) => ({ unit: 'year', requests_per_unit: requests });
  const many = Array.from({ length: RULES - 2 }, (_, n) => ({
    key: n % 2 === 0 ? `key${n}` : `key${n} of ${i}`,
    value: `value ${n}`,
    rate_limit: limit(n + 1),
  }));
  return {
    domain: 'd',
    descriptors: [
      { key: 'steady', rate_limit: limit(4_000_000_000) },
      { key: 'told', rate_limit: limit(FIRST_TOLD + i) },
      ...many,
    ],
  };
}
