import { expect } from 'chai';
import { StoreError } from '../../src/core/ports.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { slotOf } from '../../src/store/redis/slot.ts';
import { rangesOf, redirection } from '../../src/store/redis/topology.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis } from '../support/redis.ts';
import { type OwnCluster, ownCluster } from '../support/redis-cluster.ts';

const TEN = Array.from({ length: 10 }, (_, i) => hit(`key_${i}`));

describe('the slot of a key', () => {
  // From the cluster specification, and CLUSTER KEYSLOT of Redis 7.0.
  for (const [key, slot] of [
    ['123456789', 12739],
    ['foo', 12182],
    ['a{foo}b', 12182],
    ['{}foo', 9500],
    ['foo{{bar}}zap', 4015],
    ['foo{bar}{zap}', 5061],
    ['', 0],
  ] as const) {
    it(`of ${JSON.stringify(key)} is ${slot}`, () => expect(slotOf(key)).to.equal(slot));
  }
});

describe('the topology of a cluster', () => {
  it('is read from CLUSTER SLOTS; a node without a name is the one that was asked', () => {
    const reply = [
      [0, 99, ['10.0.0.1', 7000, 'id', []], ['10.0.0.2', 7001, 'id', []]],
      [100, 16383, ['', 7002]],
    ];
    expect(rangesOf(reply, 'seed')).to.deep.equal([
      { from: 0, to: 99, master: { host: '10.0.0.1', port: 7000 } },
      { from: 100, to: 16383, master: { host: 'seed', port: 7002 } },
    ]);
    expect(rangesOf('no list', 'seed')).to.deep.equal([]);
  });

  it('is mended by MOVED and ASK', () => {
    expect(redirection('MOVED 5 ::1:7000', 'x')).to.deep.equal({ host: '::1', port: 7000, slot: 5, asking: false });
    expect(redirection('ASK 5 :7000', 'x')).to.deep.equal({ host: 'x', port: 7000, slot: 5, asking: true });
    expect(redirection('CLUSTERDOWN', 'x')).to.equal(null);
  });
});

describe('a Redis cluster', function () {
  this.timeout(60_000);
  let own: OwnCluster;
  let store: RedisStore;
  before(async function () {
    needsRedis(this);
    own = await ownCluster();
    store = redisStore({ url: own.url, type: 'cluster', commandTimeoutMs: 2_000 });
    await store.start();
    await eventually('every master to be connected', () => store.connected);
  });
  after(async () => {
    await store?.stop();
    await own?.stop();
  });

  const calls = async (node: OwnRedis): Promise<number> => {
    const stats = String(await node.client.info('commandstats'));
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };

  it('knows the slots that Redis knows', async () => {
    for (const { key } of [...TEN, hit('é{ü}'), hit('x{}{y}')]) {
      expect(slotOf(key)).to.equal(await own.nodes[0]!.client.cluster('KEYSLOT', key));
    }
  });

  it('counts a request of 10 descriptors on different slots, one write to each master', async () => {
    expect(new Set(TEN.map(({ key }) => slotOf(key))).size).to.equal(10);
    const before = store.stats.batches;
    expect(used(await store.take(TEN, 'always', NOW_US))).to.deep.equal(new Array(10).fill(1));
    expect(store.stats.batches - before).to.equal(3);
    expect(used(await store.take([...TEN, ...TEN], 'always', NOW_US)).slice(0, 10)).to.deep.equal(
      new Array(10).fill(2),
    );
  });

  it('calls one script for 50 hits of one slot and one turn', async () => {
    const hits = Array.from({ length: 50 }, (_, i) => hit(`{one}${i}`));
    await store.take([hit('{one}')], 'always', NOW_US);
    const master = await own.masterOf(slotOf('{one}'));
    const before = await calls(master);
    await Promise.all(hits.map((it) => store.take([it], 'always', NOW_US)));
    expect((await calls(master)) - before).to.equal(1);
  });

  it('charges nothing on any slot when only_if_admitted refuses one', async () => {
    const hits = [hit('free_1'), hit('full', { limit: 0 }), hit('free_2')];
    expect(new Set(hits.map(({ key }) => slotOf(key))).size).to.equal(3);
    await store.take(hits, 'only_if_admitted', NOW_US);
    expect(await Promise.all(hits.map(({ key }) => own.client.get(key)))).to.deep.equal([null, null, null]);
  });

  it('admits exactly 10 of 60 calls at once on each of 10 keys', async () => {
    const hits = Array.from({ length: 10 }, (_, i) => hit(`ten_${i}`, { limit: 10 }));
    const readings = await Promise.all(Array.from({ length: 60 }, () => store.take(hits, 'always', NOW_US)));
    for (let i = 0; i < hits.length; i++) {
      expect(readings.map((all) => used(all)[i]).filter((n) => (n as number) <= 10)).to.have.length(10);
    }
  });

  it('follows a slot that is moved under load: ASK, then MOVED; every hit counts once and none fails', async () => {
    const slot = slotOf('{moved}');
    const from = await own.masterOf(slot);
    const to = await own.masterOf((slot + 8_192) % 16_384);
    expect(to.port).to.not.equal(from.port);
    const ids = await Promise.all([from, to].map(async ({ client }) => String(await client.cluster('MYID'))));
    const [fromId, toId] = ids as [string, string];
    let sent = 0;
    let running = true;
    const load = Array.from({ length: 4 }, async (_, i) => {
      while (running) {
        await store.take([hit(`{moved}${i}`), hit('{moved}all')], 'always', NOW_US);
        sent++;
      }
    });
    const more = async (): Promise<unknown> => {
      const before = sent;
      return eventually('more calls', () => sent > before + 20);
    };
    await more();
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId);
    await more();
    const keys = (await from.client.cluster('GETKEYSINSLOT', slot, 100)) as string[];
    await from.client.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '1000', 'KEYS', ...keys);
    await more();
    for (const { client } of [to, from]) await client.cluster('SETSLOT', slot, 'NODE', toId);
    await more();
    running = false;
    await Promise.all(load);
    expect(Number(await to.client.get('{moved}all'))).to.equal(sent);
  });

  it('fails fast while a slot has no master, and counts again after the promotion, without a restart', async () => {
    await own.whole();
    const lost = await own.masterOf(slotOf('lost'));
    await lost.kill();
    await eventually('the loss to be seen', () => !store.connected);
    const error = await store.take([hit('lost')], 'always', NOW_US).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(StoreError).with.property('code', 'unavailable');
    await eventually('every master to be connected', () => store.connected);
    await eventually('a call that succeeds', () =>
      store.take([hit('lost'), ...TEN], 'always', NOW_US).then(() => true),
    );
  });
});
