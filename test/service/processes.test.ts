import { expect } from 'chai';
import { WINDOW, windowStart } from '../e2e/window.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { service } from '../support/service.ts';
import { type Caller, caller, one, tally } from './caller.ts';
import { closers } from './closers.ts';

const PROCESSES = 4;
const CALLERS = 50;
const CALLS_OF_EACH = 8;
const LIMIT = 1_000;
const CALLS = PROCESSES * CALLERS * CALLS_OF_EACH;
/** None of them regains a hit while the test runs. */
const LIMITS = {
  fixed_window: { unit: WINDOW.unit, requests_per_unit: LIMIT, algorithm: 'fixed_window', unit_multiplier: 2 },
  sliding_window: { unit: WINDOW.unit, requests_per_unit: LIMIT, algorithm: 'sliding_window' },
  token_bucket: { unit: 'month', requests_per_unit: 1, algorithm: 'token_bucket', burst: LIMIT },
  leaky_bucket: { unit: 'month', requests_per_unit: 1, algorithm: 'leaky_bucket', burst: LIMIT },
} as const;
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: LIMIT } }],
  },
  'algorithms.yaml': {
    domain: 'algorithms',
    descriptors: [
      ...Object.entries(LIMITS).map(([key, rate_limit]) => ({ key, rate_limit })),
      { key: 'all', rate_limits: Object.values(LIMITS) },
    ],
  },
};

describe(`${PROCESSES} processes on one Redis`, () => {
  const opened = closers();
  const clients: Caller[] = [];
  let redis: OwnRedis;

  before(async function () {
    needsRedis(this);
    redis = await ownRedis();
    opened(redis, redis.stop);
    const start = () => service({ rules: RULES, redis: redis.url, env: { REDIS_COMMAND_TIMEOUT: '20s' } });
    for (const weir of await Promise.all(Array.from({ length: PROCESSES }, start))) {
      opened(weir, weir.close);
      const client = caller(weir.grpcPort);
      clients.push(opened(client, client.close));
    }
  });

  /** `CALLERS` callers of each process, each with one call after the other. */
  async function askAll(value: string, hits: number, domain = 'd', key = 'user'): Promise<Record<string, number>> {
    const answers: string[] = [];
    const callers = clients.flatMap(({ ask }) =>
      Array.from({ length: CALLERS }, async () => {
        for (let i = 0; i < CALLS_OF_EACH; i++) answers.push(await ask(one(domain, key, value, hits)));
      }),
    );
    await Promise.all(callers);
    return tally(answers);
  }

  it(`admit exactly ${LIMIT} of ${CALLS} calls of ${PROCESSES * CALLERS} callers`, async () => {
    expect(await askAll('ann', 1)).to.deep.equal({ OK: LIMIT, OVER_LIMIT: CALLS - LIMIT });
    expect(await redis.client.get(`d_user_ann_${windowStart()}`)).to.equal(String(CALLS));
  });

  it(`admit exactly ${LIMIT / 4} calls of 4 hits`, async () => {
    expect(await askAll('bob', 4)).to.deep.equal({ OK: LIMIT / 4, OVER_LIMIT: CALLS - LIMIT / 4 });
  });

  for (const key of [...Object.keys(LIMITS), 'all']) {
    it(`admit exactly ${LIMIT} of ${CALLS} calls, and ${LIMIT / 4} of 4 hits, on ${key}`, async () => {
      expect(await askAll('ann', 1, 'algorithms', key)).to.deep.equal({ OK: LIMIT, OVER_LIMIT: CALLS - LIMIT });
      expect(await askAll('bob', 4, 'algorithms', key)).to.deep.equal({ OK: LIMIT / 4, OVER_LIMIT: CALLS - LIMIT / 4 });
    });
  }

  it('leave no key without a time to live, and at most 2 for a limit', async () => {
    const keys = await redis.client.keys('*');
    const lives = await Promise.all(keys.map((key) => redis.client.pttl(key)));
    expect(lives.filter((ms) => ms <= 0)).to.deep.equal([]);
    const ofOne = keys.filter((key) => key.includes('sliding_window') && key.includes('sliding_window=ann'));
    expect(ofOne).to.have.length.within(1, 2);
  });
});
