import { expect } from 'chai';
import { Redis } from 'ioredis';
import { StoreError } from '../../src/core/ports.ts';
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, type OwnRedisOptions, ownRedis } from '../support/redis.ts';
import { results } from './results.ts';

const open: { stop(): Promise<void> }[] = [];

async function server(options?: OwnRedisOptions): Promise<OwnRedis> {
  const made = await ownRedis(options);
  open.unshift(made);
  return made;
}

async function store(url: string, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const made = redisStore({ url, commandTimeoutMs: 10_000, ...options });
  open.unshift(made);
  await made.start();
  return made;
}

async function connected(url: string, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const made = await store(url, options);
  await eventually('the store to be connected', () => made.connected);
  return made;
}

/** `unavailable: Redis wants a password`, or the counters. */
async function outcome(made: RedisStore): Promise<string> {
  try {
    return used(await made.take([hit('a')], 'always', NOW_US)).join();
  } catch (error) {
    expect(error).to.be.instanceOf(StoreError);
    const { code, message } = error as StoreError;
    return `${code}: ${message}`;
  }
}

function is(what: string, expected: string, found: string): void {
  expect(found).to.equal(expected);
  results('7', `${what}: ${found}`);
}

describe('a Redis that refuses', function () {
  this.timeout(60_000);
  before(function () {
    needsRedis(this);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.stop();
  });

  it('because its scripts were flushed (SCRIPT FLUSH) counts once all the same', async () => {
    const redis = await server();
    const made = await connected(redis.url);
    await made.take([hit('a')], 'always', NOW_US);
    await redis.client.script('FLUSH');
    is('SCRIPT FLUSH, at the second hit', '2', await outcome(made));
  });

  it('because it is loading its data (LOADING) is told, and counts when it has loaded', async () => {
    const saved = await server();
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => saved.client.set(`old_${i}`, '1', 'EX', 3_600)));
    await saved.client.save();
    const [, directory = ''] = (await saved.client.config('GET', 'dir')) as string[];
    // A millisecond and more for each key, and a look at its callers after each kilobyte.
    const slow = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];
    const port = await freePort();
    const loaded = server({ port, args: ['--dir', directory, ...slow] });
    const made = await connected(`127.0.0.1:${port}`);
    is('LOADING', 'unavailable: Redis is loading its data', await outcome(made));
    await loaded;
    await eventually('a count', async () => (await outcome(made)) === '1');
  });

  for (const [what, auth, word, message] of [
    ['it was given no password', undefined, 'NOAUTH', 'Redis wants a password'],
    ['the password is wrong', 'hunter3', 'WRONGPASS', 'Redis refuses the password'],
  ] as const) {
    it(`because ${what} (${word}), which the log tells too, and never the password`, async () => {
      const redis = await server({ args: ['--requirepass', 'hunter2'], password: 'hunter2' });
      const causes: string[] = [];
      const made = await store(redis.url, { auth, onDisconnected: (cause) => causes.push(String(cause?.message)) });
      await eventually('refused logins', () => causes.some((cause) => cause.includes(word)));
      await eventually('the reason', async () => !(await outcome(made)).endsWith('reachable'));
      is(word, `unavailable: ${message}`, await outcome(made));
      expect(causes.join()).to.not.match(/hunter/);
    });
  }

  it('because the user may not run scripts (NOPERM)', async () => {
    const redis = await server();
    await redis.client.acl('SETUSER', 'weir', 'on', '>secret', '~*', '+ping', '+get', '+incrby');
    const made = await connected(redis.url, { auth: 'weir:secret' });
    is('NOPERM', 'unavailable: Redis forbids this user to count', await outcome(made));
  });

  it('because it has no memory left (OOM)', async () => {
    const redis = await server({ args: ['--maxmemory', '1mb', '--maxmemory-policy', 'noeviction'] });
    const made = await connected(redis.url);
    is('OOM', 'unavailable: Redis has no memory left', await outcome(made));
  });

  it('because it runs another script (BUSY), and counts when that was killed', async () => {
    const redis = await server({ args: ['--busy-reply-threshold', '10'] });
    const made = await connected(redis.url);
    const stuck = redis.client.eval('while true do end', 0).catch(() => {});
    const busy = await eventually('the answer BUSY', async () => {
      const told = await outcome(made);
      return told.startsWith('unavailable') && told;
    });
    is('BUSY script', 'unavailable: Redis is busy running another script', busy);
    const second = new Redis({ port: redis.port, host: '127.0.0.1', disableClientInfo: true, enableReadyCheck: false });
    await second.script('KILL');
    second.disconnect();
    await stuck;
    expect(await outcome(made)).to.match(/^\d+$/);
  });
});
