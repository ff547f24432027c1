import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Ground, ground, told } from './asking.ts';

// GOLDEN=write writes the texts anew; read them before they are kept.
function same(name: string, text: string): void {
  const beside = new URL(`./golden/${name}.txt`, import.meta.url);
  if (process.env.GOLDEN === 'write') writeFileSync(beside, text);
  expect(text).to.equal(readFileSync(beside, 'utf8'));
}

/** What differs from one run or machine to the next. */
function masked(text: string, { directory }: Ground): string {
  return text
    .replaceAll(directory, 'RULES')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/\d+(\.\d+)? ms\b/g, 'N ms')
    .replaceAll(/(behind|ahead of) this host/g, 'ahead of this host')
    .replaceAll(/(?<=Redis )\d+\.\d+\.\d+/g, 'VERSION')
    .replaceAll(/(?<=Node\.js )[\d.]+/g, 'VERSION')
    .replaceAll(/(?<=up to )\d+(?= conn)/g, 'N')
    .replaceAll(/taken by .* \(pid \d+\)/g, 'taken by SOMEONE')
    .replaceAll(/[\dT:-]+Z;/g, 'NOW;')
    .replaceAll(/(?<=time zone )\(.*\)/g, '(ZONE)')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
}

describe('what weir doctor says', () => {
  let redis: OwnRedis;

  before(async function () {
    needsRedis(this);
    redis = await ownRedis();
  });

  after(() => redis?.stop());

  it('of a healthy weir is the text of golden/healthy.txt', async () => {
    const place = await ground();
    const { code, text } = await told([...place.flags, '--redis-url', redis.url]);
    await place.remove();
    same('healthy', masked(text, place));
    expect(code).to.equal(0);
  });

  it('of a sick one is the text of golden/sick.txt', async () => {
    const place = await ground('domain: edge\nversion: 2\ndescriptors: [{kee: user}]\n');
    await redis.client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '~*', '+@all', '-incrby');
    await redis.client.config('SET', 'maxmemory', '64mb', 'maxmemory-policy', 'allkeys-lru');
    const taken = ['--grpc-port', String(redis.port), '--shadow-mode'];
    const { code, text } = await told([...place.flags, ...taken, '--redis-url', redis.url], {
      REDIS_AUTH: 'bob:pw',
      REDIS_ULR: 'redis:6379',
      MEMCACHE_SRV: 'memcached',
    });
    await place.remove();
    same('sick', masked(text, place));
    expect(code).to.equal(1);
  });

  it('of a weir that counts in memory warns that each process admits the whole limit', async () => {
    const place = await ground();
    const { code, text } = await told(place.flags);
    await place.remove();
    expect(code).to.equal(0);
    expect(text).to.match(/^warn {2}store: hits are counted in the memory of each process: n processes admit n times/m);
  });

  it('of rules that are empty warns that nothing is limited', async () => {
    const place = await ground('');
    const { text } = await told([...place.flags, '--rules', `${place.directory}/none`]);
    await place.remove();
    expect(text).to.contain('no such file or directory');
  });
});
