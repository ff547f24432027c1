import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';

const PASSWORD = 'hunter2-very-secret';
const KEY = 'secretkey';
const VALUE = 'ann@example.org';
const SECRETS = [PASSWORD, KEY, VALUE, encodeURIComponent(VALUE)];
const limit = { unit: 'year', requests_per_unit: 5 };
const RULES = {
  'd.yaml': {
    domain: 'd',
    // The line to try at the start names the first rule.
    descriptors: [
      { key: 'first', rate_limit: limit },
      { key: KEY, rate_limit: limit },
    ],
  },
};
const request = one('d', KEY, VALUE);

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly count?: number;
}

const lines = (output: string): Line[] =>
  output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const secretsIn = (output: string): string[] => SECRETS.filter((secret) => output.includes(secret));

describe('the log while the store fails', () => {
  const opened = closers();

  it('has about one line a second, and their counts add up to the calls', async () => {
    // Nobody listens there, which needs no Redis to be installed.
    const redis = `127.0.0.1:${await freePort()}`;
    const weir = await service({
      rules: RULES,
      redis,
      env: { REDIS_AUTH: PASSWORD, LOG_LEVEL: 'info' },
      until: 'open',
    });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    const failures = () => lines(weir.process().output()).filter(({ msg }) => msg.startsWith('store failed'));

    const began = Date.now();
    let calls = 0;
    while (failures().length < 4) {
      await Promise.all(Array.from({ length: 50 }, () => client.ask(request)));
      calls += 50;
      expect(Date.now() - began, 'ms without 4 lines').to.be.below(20_000);
    }
    const seconds = (Date.now() - began) / 1_000;
    await weir.stop();
    // The first is told at once, and the last when the process ends.
    expect(failures().length).to.be.at.most(2 + Math.ceil(seconds));
    expect(failures().reduce((sum, { count }) => sum + count!, 0)).to.equal(calls);
    expect(failures()[0]).to.include({ level: 'error', msg: 'store failed: Redis is not reachable', count: 1 });
    const away = lines(weir.process().output()).filter(({ msg }) => msg.startsWith('Redis is not there'));
    expect(away.length).to.be.within(1, 2 + Math.ceil(seconds));
    expect(secretsIn(weir.process().output())).to.deep.equal([]);
  });

  const troubles = {
    'a Redis that is not there': async () => `127.0.0.1:${await freePort()}`,
    'a Redis that wants another password': async () => (await withPassword('another')).url,
    'a Redis that stands still': async () => {
      const redis = await withPassword(PASSWORD);
      redis.freeze();
      return redis.url;
    },
    'a counter that is no counter': async () => {
      const redis = await withPassword(PASSWORD);
      const start = Math.floor(Date.now() / 1_000);
      await redis.client.lpush(`d_${KEY}_${VALUE}_${start - (start % 31_536_000)}`, 'x');
      return redis.url;
    },
  };
  async function withPassword(password: string) {
    const redis = await ownRedis({ args: ['--requirepass', password], password });
    return opened(redis, redis.stop);
  }

  for (const [trouble, redisUrl] of Object.entries(troubles)) {
    it(`holds no key, value or password, not even at trace: ${trouble}`, async function () {
      needsRedis(this);
      const address = await redisUrl();
      const env = { LOG_LEVEL: 'trace', REDIS_COMMAND_TIMEOUT: '300ms' };
      const redis = `redis://:${PASSWORD}@${address}`;
      const weir = await service({ rules: RULES, redis, env, until: 'open' });
      opened(weir, weir.close);
      const client = caller(weir.grpcPort);
      opened(client, client.close);
      const failure = await eventually('a failed call', async () => {
        const answer = await client.ask(request);
        return answer.startsWith('UNAVAILABLE: ') && answer;
      });
      for (let i = 0; i < 5; i++) await client.ask(request);
      // What is refused is told at debug, so it is looked at too.
      await client.ask({ ...request, domain: '' });
      await fetch(`http://127.0.0.1:${weir.httpPort}/json`, { method: 'POST', body: JSON.stringify(request) });
      await weir.stop();
      const output = weir.process().output();
      expect(lines(output).some(({ msg }) => msg.startsWith('store failed: '))).to.equal(true);
      expect(secretsIn(output)).to.deep.equal([]);
      expect(secretsIn(failure)).to.deep.equal([]);
      expect(failure).to.not.include(address);
    });
  }
});
