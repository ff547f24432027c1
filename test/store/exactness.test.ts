import { expect } from 'chai';
import { type RateLimitDescriptor, type RlsClient, rlsClient } from '../../src/grpc/client.ts';
import { WINDOW, windowStart } from '../e2e/window.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';

const PROCESSES = 4;
const CALLERS = 50;
const LIMIT = 1_000;
/** Of each process; together 1.6 times the limit. */
const CALLS = 400;

const RULES = ['counting', 'sparing'].map((domain) => ({
  domain,
  count_denied: domain === 'counting',
  descriptors: [
    { key: 'small', rate_limit: { unit: WINDOW.unit, requests_per_unit: LIMIT } },
    { key: 'large', rate_limit: { unit: WINDOW.unit, requests_per_unit: 10 * LIMIT } },
    { key: 'sliding', rate_limit: { unit: WINDOW.unit, requests_per_unit: LIMIT, algorithm: 'sliding_window' } },
    { key: 'bucket', rate_limit: { unit: 'month', requests_per_unit: 1, algorithm: 'token_bucket', burst: LIMIT } },
    { key: 'wide', rate_limit: { unit: WINDOW.unit, requests_per_unit: 10 * LIMIT } },
  ],
}));

const descriptor = (key: string, hits?: number): RateLimitDescriptor => ({
  entries: [{ key, value: 'v' }],
  ...(hits === undefined ? {} : { hitsAddend: { value: hits } }),
});
const BOTH = [descriptor('small'), descriptor('large')];

for (const [title, env, charged] of [
  ['every hit charged', {}, { small: PROCESSES * CALLS, large: PROCESSES * CALLS }],
  [
    'the over-limit cache and STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT',
    { LOCAL_CACHE_SIZE_IN_BYTES: '1000000', STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: 'true' },
    { small: null, large: LIMIT },
  ],
] as const) {
  describe(`4 processes on one Redis, 50 callers each, with ${title}`, function () {
    this.timeout(120_000);
    let redis: OwnRedis | undefined;
    const services: Service[] = [];
    const clients: RlsClient[] = [];
    before(async function () {
      needsRedis(this);
      redis = await ownRedis();
      const options = {
        rules: Object.fromEntries(RULES.map((rules) => [`${rules.domain}.yaml`, rules])),
        redis: redis.url,
        // It is about counts; a slow machine must not turn them into timeouts.
        env: { ...env, REDIS_COMMAND_TIMEOUT: '20s' },
      };
      services.push(...(await Promise.all(Array.from({ length: PROCESSES }, () => service(options)))));
      clients.push(...services.map(({ grpcPort }) => rlsClient(`127.0.0.1:${grpcPort}`, { timeoutMs: 30_000 })));
    });
    after(async () => {
      for (const client of clients) client.close();
      await Promise.all(services.map((it) => it.close()));
      await redis?.stop();
    });

    /** Each caller sends one after the other. Tells how many were admitted. */
    async function admitted(domain: string, descriptors: readonly RateLimitDescriptor[]): Promise<number> {
      let ok = 0;
      const caller = async (client: RlsClient, calls: { left: number }) => {
        while (calls.left-- > 0) {
          const { overallCode } = await client.check({ domain, descriptors });
          if (overallCode === 'OK') ok++;
        }
      };
      await Promise.all(
        clients.flatMap((client) => {
          const calls = { left: CALLS };
          return Array.from({ length: CALLERS }, () => caller(client, calls));
        }),
      );
      return ok;
    }
    const counter = async (domain: string, key: string): Promise<number> =>
      Number(await redis?.client.get(`${domain}_${key}_v_${windowStart()}`));

    it('admits exactly 1,000 of 1,600 requests', async () => {
      expect(await admitted('counting', BOTH)).to.equal(LIMIT);
      expect(await counter('counting', 'large')).to.equal(charged.large);
      if (charged.small !== null) expect(await counter('counting', 'small')).to.equal(charged.small);
    });

    it('admits exactly 1,000 of them where denied requests are not counted, and both counters stand at 1,000', async () => {
      expect(await admitted('sparing', BOTH)).to.equal(LIMIT);
      expect([await counter('sparing', 'small'), await counter('sparing', 'large')]).to.deep.equal([LIMIT, LIMIT]);
    });

    it('admits exactly 1,000 of them by a sliding window and by a bucket, beside a wide limit', async () => {
      for (const [key, wide] of [
        ['sliding', LIMIT],
        ['bucket', 2 * LIMIT],
      ] as const) {
        expect(await admitted('sparing', [descriptor(key), descriptor('wide')])).to.equal(LIMIT);
        expect(await counter('sparing', 'wide')).to.equal(wide);
        expect(await admitted('counting', [descriptor(key), descriptor('wide')])).to.equal(LIMIT);
      }
    });

    it('decides the siblings of 2^53 - 1 hits and more, and goes on', async () => {
      for (const domain of ['counting', 'sparing']) {
        for (const value of ['9007199254740991', '9223372036854775808', '18446744073709551615']) {
          const huge = { entries: [{ key: 'small', value }], hitsAddend: { value } };
          const sibling = { entries: [{ key: 'large', value }] };
          for (const client of clients.slice(0, 2)) {
            const answer = await client.check({ domain, descriptors: [huge, sibling] });
            expect(answer.overallCode).to.equal('OVER_LIMIT');
            expect(answer.statuses.map(({ code }) => code)).to.deep.equal(['OVER_LIMIT', 'OK']);
          }
        }
      }
    });
  });
}
