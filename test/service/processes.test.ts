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
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: LIMIT } }],
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
  async function askAll(value: string, hits: number): Promise<Record<string, number>> {
    const answers: string[] = [];
    const callers = clients.flatMap(({ ask }) =>
      Array.from({ length: CALLERS }, async () => {
        for (let i = 0; i < CALLS_OF_EACH; i++) answers.push(await ask(one('d', 'user', value, hits)));
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
});
