import { expect } from 'chai';
import { service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { page } from './page.ts';

const BOUND = 40;
const CALLS = 400;
const hour = { unit: 'hour', requests_per_unit: 1 };
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [
      { key: 'plain', rate_limit: hour },
      { key: 'told', rate_limit: hour, value_to_metric: true },
      { key: 'detailed', rate_limit: hour, detailed_metric: true },
    ],
  },
};
const SERIES = /^ratelimit_service_rate_limit_total_hits\{domain="([^"]*)",key1="([^"]*)"(?:,key2="[^"]*")?\} (\d+)/gm;

describe('series of values that callers make', () => {
  const opened = closers();

  async function start() {
    const env = { METRICS_MAX_SERIES_PER_DOMAIN: String(BOUND), LOCAL_CACHE_SIZE_IN_BYTES: '1000000' };
    const weir = await service({ rules: RULES, env });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    const series = async () => {
      const { body } = await page(weir.httpPort, '/metrics');
      return { body, all: [...body.matchAll(SERIES)].map(([, domain, key1, value]) => ({ domain, key1, value })) };
    };
    return { client, series, weir };
  }
  const times = (ask: (i: number) => Promise<string>) =>
    Promise.all(Array.from({ length: CALLS }, (_, i) => ask(i))).then((answers) => answers.filter((it) => it === 'OK'));

  it(`stop at ${BOUND}, the rest and the rules after ${CALLS} overrides of unique values`, async () => {
    const { client, series } = await start();
    await times((i) => client.ask(one('d', 'plain', `p${i}`)));
    const passed = await times((i) => {
      const [descriptor] = one('d', 'own', `value ${i}`).descriptors;
      return client.ask({
        domain: 'd',
        descriptors: [{ ...descriptor!, limit: { requestsPerUnit: 1, unit: 'HOUR' } }],
      });
    });
    expect(passed).to.have.length(CALLS);
    const { all } = await series();
    expect(all.filter(({ domain }) => domain !== 'd')).to.deep.equal([]);
    // One rule was used, and all of its values are one series.
    expect(all).to.have.length(1 + BOUND + 1);
    expect(all.find(({ key1 }) => key1 === 'plain')?.value).to.equal(String(CALLS));
    expect(all.find(({ key1 }) => key1 === '_other')?.value).to.equal(String(CALLS - BOUND));
  });

  for (const key of ['told', 'detailed']) {
    it(`stop at ${BOUND} and the rest for a rule that tells its values: ${key}`, async () => {
      const { client, series } = await start();
      await times((i) => client.ask(one('d', key, `v${i}`)));
      // Refused from the over-limit cache: these have families of their own.
      await times((i) => client.ask(one('d', key, `v${i}`)));
      await times((i) => client.ask(one('d', key, `v${i}`)));
      const { all, body } = await series();
      expect(all).to.have.length(BOUND + 1);
      expect(all.find(({ key1 }) => key1 === '_other')?.value).to.equal(String(3 * (CALLS - BOUND)));
      const cached = body.match(/^ratelimit_\w+_over_limit_with_local_cache \d+$/gm) ?? [];
      expect(cached).to.have.length(BOUND + 1);
    });
  }

  it(`are one domain for ${CALLS} domains that no rules know`, async () => {
    const { client, series } = await start();
    expect(await times((i) => client.ask(one(`domain ${i}`, 'plain', 'x')))).to.have.length(CALLS);
    await times((i) => {
      const [descriptor] = one('', 'own', 'x').descriptors;
      const limit = { requestsPerUnit: 1, unit: 'HOUR' };
      return client.ask({ domain: `other ${i}`, descriptors: [{ ...descriptor!, limit }] });
    });
    const { body } = await series();
    const domains = new Set([...body.matchAll(/\{domain="([^"]*)"/g)].map(([, it]) => it));
    expect([...domains].filter((it) => it !== 'd')).to.deep.equal(['_unknown']);
    expect(body).to.match(new RegExp(`^ratelimit_decisions_total\\{domain="_unknown",code="ok"\\} ${2 * CALLS}$`, 'm'));
    expect(body).to.match(new RegExp(`^ratelimit_domain_not_found_total ${2 * CALLS}$`, 'm'));
  });
});
