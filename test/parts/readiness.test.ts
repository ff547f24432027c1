import { expect } from 'chai';
import { type Counting, counting } from '../../src/counting.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { type Log, log } from '../../src/telemetry/log.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { hit, NOW_US } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type OwnCluster, ownCluster } from '../support/redis-cluster.ts';

/** A command to Redis. */
type Order = readonly [string, ...string[]];

describe('whether Redis counts now', function () {
  this.timeout(60_000);
  let told: Log;
  let server: OwnRedis;
  let running: Counting | null = null;
  before(async function () {
    needsRedis(this);
    told = log({ level: 'fatal', format: 'json', destination: { write() {} } });
    server = await ownRedis();
  });
  afterEach(async () => {
    for (const part of running?.parts ?? []) await part.stop();
    running = null;
  });
  after(async () => {
    await server?.stop();
    await told?.close();
  });

  async function started(env: Readonly<Record<string, string>>): Promise<Counting> {
    const patient = { REDIS_COMMAND_TIMEOUT: '5s', CACHE_KEY_PREFIX: 'mine:', REDIS_SOCKET_TYPE: 'tcp' };
    const measured = metrics({ nearLimitRatio: 0.8, process: false });
    const made = counting(readSettings([], { ...patient, REDIS_URL: server.url, ...env }).settings, measured, told);
    running = made;
    for (const part of made.parts) await part.start();
    await eventually('all Redises to answer', () => made.everAnswered());
    return made;
  }

  const becomes = (made: Counting, wanted: boolean) =>
    eventually(`reachable to be ${wanted}`, async () => (await made.reachableNow()) === wanted);

  const ills: Readonly<Record<string, readonly [ill: Order, well: Order]>> = {
    'is a read-only replica': [
      ['REPLICAOF', '127.0.0.1', '1'],
      ['REPLICAOF', 'NO', 'ONE'],
    ],
    'has no memory left': [
      ['CONFIG', 'SET', 'maxmemory', '1'],
      ['CONFIG', 'SET', 'maxmemory', '0'],
    ],
    'forbids scripts': [
      ['ACL', 'SETUSER', 'default', '-@scripting'],
      ['ACL', 'SETUSER', 'default', '+@all'],
    ],
    'forbids writes': [
      ['ACL', 'SETUSER', 'default', '-incrby'],
      ['ACL', 'SETUSER', 'default', '+@all'],
    ],
  };
  for (const [ill, [[make, ...how], [mend, ...back]]] of Object.entries(ills)) {
    for (const policy of ['error', 'allow']) {
      it(`is no while it ${ill} and STORE_FAILURE is ${policy}, as calls find too, and yes again after`, async () => {
        const made = await started({ STORE_FAILURE: policy });
        expect(await made.reachableNow()).to.equal(true);
        await server.client.call(make, ...how);
        try {
          expect(await made.reachableNow()).to.equal(false);
          const [call] = await Promise.allSettled([made.store.take([hit('mine:a')], 'always', NOW_US)]);
          expect(call!.status).to.equal(policy === 'error' ? 'rejected' : 'fulfilled');
        } finally {
          await server.client.call(mend, ...back);
        }
        await becomes(made, true);
      });
    }
  }

  it('is yes when the breaker is open but Redis counts again', async () => {
    const made = await started({});
    await server.client.config('SET', 'maxmemory', '1');
    for (let i = 0; i < 50; i++) await made.store.take([hit('mine:a')], 'always', NOW_US).catch(() => {});
    await server.client.config('SET', 'maxmemory', '0');
    expect(await made.reachableNow()).to.equal(true);
  });

  it('leaves one counter below the prefix, which lives 10 seconds at most', async () => {
    const made = await started({});
    await server.client.flushall();
    for (let i = 0; i < 3; i++) expect(await made.reachableNow()).to.equal(true);
    const [key, ...others] = await server.client.keys('*');
    expect(others).to.deep.equal([]);
    expect(key).to.match(/^mine:/);
    expect(await server.client.ttl(key!)).to.be.within(0, 10);
  });

  it('is yes when only the key that is asked by is not the user’s', async () => {
    await server.client.call('ACL', 'SETUSER', 'ann', 'on', '>pw', '~shop_*', '+@all');
    const made = await started({ REDIS_AUTH: 'ann:pw' });
    expect(await made.reachableNow()).to.equal(true);
  });

  it('is no when the Redis for limits per second alone counts nothing', async () => {
    const second = await ownRedis({ port: await freePort() });
    try {
      const made = await started({
        REDIS_PERSECOND: 'true',
        REDIS_PERSECOND_URL: second.url,
        REDIS_PERSECOND_SOCKET_TYPE: 'tcp',
      });
      expect(await made.reachableNow()).to.equal(true);
      await second.client.config('SET', 'maxmemory', '1');
      expect(await made.reachableNow()).to.equal(false);
    } finally {
      await second.stop();
    }
  });

  it('is no in a cluster when every master forbids scripts', async () => {
    const cluster: OwnCluster = await ownCluster();
    try {
      const made = await started({ REDIS_TYPE: 'cluster', REDIS_URL: cluster.url });
      await becomes(made, true);
      for (const { client } of cluster.nodes) await client.call('ACL', 'SETUSER', 'default', '-@scripting');
      expect(await made.reachableNow()).to.equal(false);
    } finally {
      await cluster.stop();
    }
  });
});
