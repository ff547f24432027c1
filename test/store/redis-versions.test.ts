import { expect } from 'chai';
import { tellsOver } from '../../src/core/denial.ts';
import { commandsNeeded } from '../../src/doctor/redis/rights.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { type StoreUnderTest, storeContract } from '../contract/store.ts';
import { diagnosis, type Ground, ground } from '../doctor/asking.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type OwnCluster, ownCluster } from '../support/redis-cluster.ts';
import { OTHER_VERSIONS } from '../support/redis-versions.ts';

/** It is about what they understand; a slow machine must not turn it into timeouts. */
const PATIENT_MS = 10_000;

async function dialled(url: string, type: 'single' | 'cluster' = 'single'): Promise<RedisStore> {
  const store = redisStore({ url, type, commandTimeoutMs: PATIENT_MS });
  await store.start();
  await eventually('the store to be connected', () => store.connected);
  return store;
}

async function single(program: string): Promise<StoreUnderTest> {
  const server = await ownRedis({ program });
  const store = await dialled(server.url);
  return {
    store,
    keys: () => server.client.dbsize(),
    clear: async () => void (await server.client.flushall()),
    stop: async () => {
      await store.stop();
      await server.stop();
    },
  };
}

for (const { name, program, needs } of OTHER_VERSIONS) {
  storeContract(name, () => single(program), { needs });

  describe(`${name} that keeps counters`, () => {
    let server: OwnRedis;
    let place: Ground;
    before(async function () {
      needs(this);
      server = await ownRedis({ program });
      place = await ground();
    });
    beforeEach(() => server.client.flushall());
    after(async () => {
      await server?.stop();
      await place?.remove();
    });

    async function commands(): Promise<readonly string[]> {
      const stats = String(await server.client.info('commandstats'));
      return [...stats.matchAll(/^cmdstat_(\S+?):/gm)].map(([, command]) => command!);
    }

    it('admits exactly 100 of 400 calls that 4 stores make at once, and both counters stand at 100 or 400', async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => dialled(server.url)));
      for (const [charge, left] of [
        ['always', '400'],
        ['only_if_admitted', '100'],
      ] as const) {
        const hits = [hit(`small_${charge}`, { limit: 100 }), hit(`large_${charge}`, { limit: 1_000 })];
        const calls = stores.flatMap((store) => Array.from({ length: 100 }, () => store.take(hits, charge, NOW_US)));
        const readings = await Promise.all(calls);
        expect(readings.filter(([small]) => !tellsOver(small!, hits[0]!))).to.have.length(100);
        const counters = await server.client.mget(hits.map(({ key }) => key));
        expect(counters).to.deep.equal([left, left]);
      }
      await Promise.all(stores.map((store) => store.stop()));
    });

    it('counts on after SCRIPT FLUSH, sends no command but those weir asks rights for, and all have a time to live', async () => {
      const store = await dialled(server.url);
      await server.client.config('RESETSTAT');
      await store.take([hit('a')], 'always', NOW_US);
      await server.client.script('FLUSH');
      expect(used(await store.take([hit('a'), hit('b')], 'stop_when_over', NOW_US))).to.deep.equal([2, 1]);
      await store.countsNow('ready');
      await store.stop();
      const ours = ['config|resetstat', 'config', 'script|flush', 'script', 'info'];
      const sent = (await commands()).filter((command) => !ours.includes(command));
      expect(sent).to.include.members(['evalsha', 'eval', 'incrby', 'expire']);
      expect(commandsNeeded({ db: 0, cluster: false })).to.include.members(sent);
      for (const key of ['a', 'b', 'ready']) expect(await server.client.ttl(key)).to.be.above(0);
    });

    it('leaves weir doctor nothing to say, and lets a user count who was given its line', async () => {
      const plain = await diagnosis([...place.flags, '--redis-url', server.url]);
      expect([plain.code, plain.troubles]).to.deep.equal([0, []]);
      expect(plain.named('store.version')[0]!.says).to.contain(name);
      await server.client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw');
      const as = [...place.flags, '--redis-url', `redis://bob:pw@${server.url}`];
      const lacking = (await diagnosis(as)).named('store.rights')[0]!;
      expect(lacking.says).to.match(/ run del, eval, evalsha, /);
      const line = lacking.todo.replace('tell Redis: ', '').split(' ').slice(1);
      await server.client.call('ACL', ...line);
      const after = await diagnosis(as);
      expect([after.code, after.troubles]).to.deep.equal([0, ['warn store.unseen']]);
    });
  });

  describe(`a cluster of ${name}`, function () {
    this.timeout(60_000);
    let own: OwnCluster;
    before(async function () {
      needs(this);
      own = await ownCluster({ program });
    });
    after(() => own?.stop());

    it('counts a request of 10 descriptors on different slots, twice, and sends each hit once', async () => {
      const store = await dialled(own.url, 'cluster');
      const hits = Array.from({ length: 10 }, (_, i) => hit(`key_${i}`));
      expect(used(await store.take(hits, 'always', NOW_US))).to.deep.equal(new Array(10).fill(1));
      expect(used(await store.take(hits, 'only_if_admitted', NOW_US))).to.deep.equal(new Array(10).fill(2));
      await store.stop();
    });
  });
}
