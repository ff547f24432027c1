import { expect } from 'chai';
import { type Counting, counting } from '../../src/counting.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { type Log, log } from '../../src/telemetry/log.ts';
import { type Metrics, metrics } from '../../src/telemetry/metrics.ts';
import { hit, NOW_US } from '../contract/hit.ts';

describe('counting', () => {
  let measured: Metrics;
  let told: Log;
  before(() => {
    measured = metrics({ nearLimitRatio: 0.8, process: false });
    told = log({ level: 'error', format: 'json', formatProblem: ({ message }) => message });
  });
  after(() => told.close());

  const chosen = (env: Record<string, string>, argv: readonly string[] = []): Counting =>
    counting(readSettings(argv, env).settings, measured, told);
  const where = (env: Record<string, string>): string => chosen(env).where;

  const places: readonly (readonly [env: Record<string, string>, where: string])[] = [
    [{}, 'memory of this process'],
    [{ BACKEND_TYPE: 'memory' }, 'memory of this process'],
    [{ BACKEND_TYPE: 'memory', REDIS_URL: '127.0.0.1:6379' }, 'memory of this process'],
    [{ REDIS_AUTH: 'x', REDIS_SOCKET_TYPE: 'tcp' }, 'memory of this process'],
    [{ REDIS_URL: '127.0.0.1:6379' }, 'Redis at 127.0.0.1:6379'],
    [{ REDIS_URL: 'redis' }, 'Redis at redis'],
    [{ REDIS_URL: '/run/redis.sock' }, 'Redis at /run/redis.sock'],
    [{ REDIS_URL: 'unix:/run/redis.sock' }, 'Redis at unix:/run/redis.sock'],
    [{ REDIS_URL: '/run/redis.sock', REDIS_SOCKET_TYPE: 'unix' }, 'Redis at /run/redis.sock'],
    [{ REDIS_TYPE: 'SINGLE' }, 'Redis at /var/run/nutcracker/ratelimit.sock'],
    [{ BACKEND_TYPE: 'redis' }, 'Redis at /var/run/nutcracker/ratelimit.sock'],
  ];
  for (const [env, expected] of places) {
    it(`is in ${expected} with ${JSON.stringify(env)}`, () => {
      const { where: found, kind, parts } = chosen(env);
      expect(found).to.equal(expected);
      expect(kind).to.equal(expected.startsWith('Redis') ? 'redis' : 'memory');
      expect(parts.map(({ name }) => name)).to.deep.equal(['loop-lag', ...(kind === 'redis' ? ['redis'] : [])]);
    });
  }

  it('is in a second Redis too with REDIS_PERSECOND=true', () => {
    const two = { REDIS_URL: '127.0.0.1:1', REDIS_PERSECOND: 'true' };
    expect(chosen(two).where).to.equal(
      'Redis at 127.0.0.1:1, for limits per second at /var/run/nutcracker/ratelimitpersecond.sock',
    );
    expect(chosen({ ...two, REDIS_PERSECOND_URL: '127.0.0.1:2' }).parts).to.have.length(3);
  });

  it('is where a flag says, before the environment', () => {
    expect(chosen({ REDIS_URL: '127.0.0.1:1' }, ['--backend-type=memory']).kind).to.equal('memory');
  });

  it('never tells user and password', () => {
    const found = where({ REDIS_URL: 'redis://ann:hunter2@127.0.0.1:6379/1', REDIS_AUTH: 'bob:hunter3' });
    expect(found).to.include('127.0.0.1:6379');
    expect(found).to.not.match(/ann|bob|hunter/);
  });

  const mismatches: readonly (readonly [env: Record<string, string>, sentence: string])[] = [
    [
      { REDIS_URL: '/run/redis.sock', REDIS_SOCKET_TYPE: 'tcp' },
      'the Redis URL /run/redis.sock is the path of a socket, but the socket type is tcp',
    ],
    [
      { REDIS_URL: '127.0.0.1:6379', REDIS_SOCKET_TYPE: 'unix' },
      'the Redis URL 127.0.0.1:6379 is a TCP address, but the socket type is unix',
    ],
    [
      { REDIS_URL: '127.0.0.1:1,127.0.0.1:2' },
      'the Redis URL is a list, which needs the Redis type sentinel or cluster',
    ],
    [
      { REDIS_URL: '127.0.0.1:1', REDIS_AUTH_FILE: '/no/such' },
      "the Redis password file /no/such can't be used: ENOENT",
    ],
    [
      { REDIS_URL: '127.0.0.1:1', REDIS_TLS: 'true', REDIS_TLS_CACERT: '/no/such' },
      "TLS for Redis from /no/such can't be used: ENOENT",
    ],
    [
      { REDIS_URL: '127.0.0.1:1', REDIS_TLS: 'true', REDIS_TLS_CLIENT_CERT: '/no/such' },
      'a TLS client certificate for Redis needs its key, and a key its certificate',
    ],
    [
      { REDIS_URL: '/run/redis.sock', REDIS_TLS: 'true' },
      'TLS for Redis needs a TCP address; the Redis URL is the path of a socket',
    ],
  ];
  for (const [env, sentence] of mismatches) {
    it(`says: ${sentence}`, () =>
      expect(() => chosen(env))
        .to.throw(Error)
        .with.property('message', sentence));
  }

  it('in memory has always answered and is always reachable', async () => {
    const it = chosen({});
    expect(it.everAnswered()).to.equal(true);
    expect(await it.reachableNow()).to.equal(true);
  });

  it('in a Redis that was never started has not answered and is not reachable', async () => {
    const it = chosen({ REDIS_URL: '127.0.0.1:1' });
    expect(it.everAnswered()).to.equal(false);
    expect(await it.reachableNow()).to.equal(false);
  });

  it('remembers what is over only with LOCAL_CACHE_SIZE_IN_BYTES, and tells the metrics how often', async () => {
    const over = [hit('key', { limit: 0 })];
    const twice = async (env: Record<string, string>): Promise<string | undefined> => {
      const { store } = chosen(env);
      await store.take(over, 'always', NOW_US);
      return (await store.take(over, 'always', NOW_US + 500_000))[0]?.kind;
    };
    expect(await twice({})).to.equal('counted');
    expect(await twice({ LOCAL_CACHE_SIZE_IN_BYTES: '1000000', OVER_LIMIT_CACHE_MAX_AGE: '500ms' })).to.equal(
      'counted',
    );
    expect(await twice({ LOCAL_CACHE_SIZE_IN_BYTES: '1000000' })).to.equal('assumed');
    expect(await measured.registry.metrics()).to.match(/^ratelimit_localcache_hitCount(\{.*\})? 1$/m);
  });

  it('in memory keeps MEMORY_MAX_KEYS counters: with 2, the 3rd pushes the 1st out', async () => {
    const { store } = chosen({ MEMORY_MAX_KEYS: '2' });
    for (const key of ['a', 'b', 'c']) await store.take([hit(key, { cost: 5 })], 'always', NOW_US);
    const [looked] = await store.take([hit('a', { cost: 0 })], 'always', NOW_US);
    expect(looked).to.include({ kind: 'counted', used: 0 });
  });
});
