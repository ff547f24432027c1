import { expect } from 'chai';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type OneSentinel, oneSentinel } from '../support/redis-sentinel.ts';
import { diagnosis, type Ground, ground } from './asking.ts';

describe('weir doctor and Sentinel', () => {
  let place: Ground;
  let master: OwnRedis;
  let sentinel: OneSentinel;

  before(async function () {
    needsRedis(this);
    place = await ground();
    master = await ownRedis();
    sentinel = await oneSentinel({ lines: [`sentinel monitor m 127.0.0.1 ${master.port} 1`] });
  });

  after(async () => {
    await sentinel?.stop();
    await master?.stop();
    await place?.remove();
  });

  async function storeOf(url: string, type = 'sentinel') {
    return diagnosis([...place.flags, '--redis-type', type, '--redis-url', url]);
  }

  it('finds nothing wrong, asks the sentinel for the master and looks at that', async () => {
    const { code, troubles, named } = await storeOf(`m,${sentinel.url}`);
    expect([code, troubles]).to.deep.equal([0, []]);
    expect(named('store.sentinel')[0]!.says).to.match(new RegExp(`names 127.0.0.1:${master.port} as the master m$`));
    expect(named('store.script')[0]!.says).to.contain(`127.0.0.1:${master.port} runs`);
    expect(await master.client.keys('*')).to.deep.equal([]);
  });

  it('warns of one sentinel that is away, as long as another is there', async () => {
    const { code, troubles } = await storeOf(`m,127.0.0.1:${await freePort()},${sentinel.url}`);
    expect([code, troubles]).to.deep.equal([0, ['warn store.refused']]);
  });

  it('fails for a name that the sentinel does not know', async () => {
    expect((await storeOf(`other,${sentinel.url}`)).troubles).to.deep.equal([
      'fail store.sentinel',
      'fail store.master',
    ]);
  });

  it('fails when the address is a Redis that is no sentinel', async () => {
    const { troubles } = await storeOf(`m,${master.url}`);
    expect(troubles).to.deep.equal(['fail store.sentinel', 'fail store.master']);
  });

  it('fails when the sentinel is asked as if it kept counters', async () => {
    const { code, troubles, named } = await storeOf(sentinel.url, 'single');
    expect([code, troubles]).to.deep.equal([1, ['fail store.kind']]);
    expect(named('store.kind')[0]!.todo).to.contain('REDIS_TYPE=sentinel');
  });
});
