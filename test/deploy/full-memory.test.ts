import { expect } from 'chai';
import { type Caller, caller } from '../oracle/caller.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';

const RULES = { domain: 'd', descriptors: [{ key: 'user', rate_limit: { unit: 'day', requests_per_unit: 1 } }] };
/** Room for what clients send and Redis says, but not for many keys more. */
const ROOM_BYTES = 200_000;
const ROUND_MS = 60_000;

describe('a Redis whose memory is full', function () {
  this.timeout(ROUND_MS);
  let redis: OwnRedis;
  let weir: Service;
  let asks: Caller;

  beforeEach(async function () {
    needsRedis(this);
    redis = await ownRedis();
    weir = await service({ rules: { 'd.yaml': RULES }, redis: redis.url, env: { REDIS_COMMAND_TIMEOUT: '10s' } });
    asks = caller(`127.0.0.1:${weir.grpcPort}`);
  });
  afterEach(async () => {
    asks?.close();
    await weir?.close();
    await redis?.stop();
  });

  const ask = async (user: string): Promise<string> => {
    const answer = await asks.shouldRateLimit({
      domain: 'd',
      descriptors: [{ entries: [{ key: 'user', value: user }] }],
    });
    return 'response' in answer ? String(answer.response.overallCode) : 'failed';
  };
  const number = async (section: string, name: string): Promise<number> =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.client.info(section))?.[1]);

  /** Sets the policy, and fills what memory there is with keys that live for a minute, until some of them go. */
  async function filled(policy: string): Promise<void> {
    const limit = (await number('memory', 'used_memory')) + ROOM_BYTES;
    await redis.client.config('SET', 'maxmemory-policy', policy);
    await redis.client.config('SET', 'maxmemory', String(limit));
    let written = 0;
    await eventually('memory to be full', async () => {
      for (let i = 0; i < 100; i++) await redis.client.set(`filler-${++written}`, 'x'.repeat(1_000), 'EX', 60);
      return (await number('stats', 'evicted_keys')) > 0;
    });
  }

  it('fails calls with noeviction, and forgets nothing: who was over is over when there is room again', async () => {
    expect(await ask('ann')).to.equal('OK');
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    // Less than it has used.
    await redis.client.config('SET', 'maxmemory', '1');
    expect(await ask('ann')).to.equal('failed');
    expect(await number('stats', 'evicted_keys')).to.equal(0);
    await redis.client.config('SET', 'maxmemory', '0');
    expect(await eventually('an answer', async () => (await ask('ann')).replace('failed', '') || undefined)).to.equal(
      'OVER_LIMIT',
    );
  });

  it('answers with volatile-ttl, and forgets what would expire first: a day is kept before a minute', async () => {
    expect(await ask('ann')).to.equal('OK');
    await filled('volatile-ttl');
    expect(await ask('bob')).to.equal('OK');
    expect(await ask('ann')).to.equal('OVER_LIMIT');
    expect(await number('stats', 'evicted_keys')).to.be.greaterThan(0);
  });
});
