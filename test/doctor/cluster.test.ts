import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { diagnosis, type Ground, ground } from './asking.ts';

describe('weir doctor and a cluster', () => {
  let place: Ground;
  let node: OwnRedis;

  before(async function () {
    needsRedis(this);
    place = await ground();
    node = await ownRedis({ args: ['--cluster-enabled', 'yes'] });
  });

  after(async () => {
    await node?.stop();
    await place?.remove();
  });

  async function storeOf(url: string, ...flags: readonly string[]) {
    return diagnosis([...place.flags, '--redis-type', 'cluster', '--redis-url', url, ...flags]);
  }

  it('fails while no node has slots', async () => {
    const { code, troubles, named } = await storeOf(node.url);
    expect([code, troubles]).to.deep.equal([1, ['fail store.cluster']]);
    expect(named('store.cluster')[0]!.says).to.match(/knows 0 masters with 0 of 16384 slots, state fail$/);
  });

  it('finds nothing wrong once all slots have a master, and counts there', async () => {
    await node.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually('the cluster to be ok', async () =>
      String(await node.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
    const { code, troubles, named } = await storeOf(`127.0.0.1:${node.port}`);
    expect([code, troubles]).to.deep.equal([0, []]);
    expect(named('store.cluster')[0]!.says).to.match(/knows 1 masters with 16384 of 16384 slots, state ok$/);
    expect(named('store.script')).to.have.length(1);
    expect(await node.client.keys('*')).to.deep.equal([]);
  });

  it('is content with a user who was given the line of the doctor', async () => {
    await node.client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+cluster');
    const flags = ['--redis-auth', 'bob:pw'];
    const before = await storeOf(node.url, ...flags);
    const line = before.named('store.rights')[0]!.todo.replace('tell Redis: ', '');
    await node.client.call('ACL', ...line.split(' ').slice(1));
    const { code, troubles } = await storeOf(node.url, ...flags);
    expect([code, troubles]).to.deep.equal([0, ['warn store.unseen']]);
  });

  it('warns of one node that is away, as long as another is there', async () => {
    const { code, troubles } = await storeOf(`127.0.0.1:${await freePort()},${node.url}`);
    expect([code, troubles]).to.deep.equal([0, ['warn store.refused']]);
  });

  it('fails when all are away', async () => {
    expect((await storeOf(`127.0.0.1:${await freePort()}`)).troubles).to.deep.equal(['fail store.refused']);
  });

  it('fails when the address is a Redis without cluster', async () => {
    const single = await ownRedis();
    const { troubles } = await storeOf(single.url);
    await single.stop();
    expect(troubles).to.deep.equal(['fail store.cluster']);
  });
});
