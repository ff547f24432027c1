import { expect } from 'chai';
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis } from '../support/redis.ts';
import { type OwnSentinel, ownSentinel } from '../support/redis-sentinel.ts';

const PASSWORD = 'S3CRET-server';
const SENTINEL_PASSWORD = 'S3CRET-sentinel';

/** From the moment that a server tells it is the master. */
const AFTER_PROMOTION_MS = 2_000;

describe('a Redis behind sentinels', function () {
  this.timeout(60_000);
  let own: OwnSentinel;
  let store: RedisStore;
  before(async function () {
    needsRedis(this);
    own = await ownSentinel({ password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD });
    store = made({ poolSize: 2 });
    await store.start();
    await eventually('both connections', () => store.connections === 2);
  });
  after(async () => {
    await store?.stop();
    await own?.stop();
  });

  function made(options: Partial<RedisStoreOptions> = {}): RedisStore {
    const logins = { auth: PASSWORD, sentinelAuth: SENTINEL_PASSWORD };
    return redisStore({ url: own.url, type: 'sentinel', commandTimeoutMs: 1_000, ...logins, ...options });
  }

  const counts = (): Promise<boolean> =>
    store.take([hit('a')], 'always', NOW_US).then(
      () => true,
      () => false,
    );

  async function promoted(before: OwnRedis): Promise<OwnRedis> {
    return eventually('a promotion', async () => {
      for (const server of own.servers) {
        if (server === before || !server.client.status.startsWith('ready')) continue;
        if (String(await server.client.info('replication')).includes('role:master')) return server;
      }
      return false;
    });
  }

  async function countsAgain(before: OwnRedis): Promise<void> {
    const master = await promoted(before);
    await eventually('a call that succeeds', counts, AFTER_PROMOTION_MS);
    expect(Number(await master.client.get('a'))).to.be.above(0);
  }

  it('counts in the master', async () => {
    expect(await counts()).to.equal(true);
    expect(await (await own.master()).client.get('a')).to.equal('1');
  });

  it('counts within 2 s of a promotion while connections to the old master stay open, without a restart', async () => {
    const before = await own.master();
    await own.failover();
    let asking = true;
    const traffic = (async () => {
      while (asking) await counts();
    })();
    await countsAgain(before);
    asking = false;
    await traffic;
    await eventually('every connection to lead to the master', async () => {
      return (await counts()) && (await counts()) && (await counts());
    });
    // The next test kills a master whose replicas are known again.
    await eventually('2 replicas', async () => {
      return String(await (await own.master()).client.info('replication')).split('state=online').length - 1 === 2;
    });
  });

  it('counts within 2 s of a promotion when the master was killed', async () => {
    const before = await own.master();
    await before.kill();
    await countsAgain(before);
  });

  it('tells which sentinel does not answer, or does not know the master, and why', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const [, ...sentinels] = own.url.split(',');
    for (const [options, because] of [
      [{ url: `m,${nobody}` }, /ECONNREFUSED/],
      [{ sentinelAuth: 'WRONG-password' }, /^WRONGPASS/],
      [{ sentinelAuth: undefined }, /^NOAUTH/],
      [{ url: ['other', ...sentinels].join() }, /does not know the master/],
    ] as const) {
      const told: { readonly cause: string; readonly server: string | null }[] = [];
      const stranger = made({
        ...options,
        onDisconnected: (cause, { server }) => told.push({ cause: cause?.message ?? '', server }),
      });
      await stranger.start();
      const { server } = await eventually(`${because}`, () => told.find(({ cause }) => because.test(cause)));
      expect([nobody, ...sentinels]).to.include(server);
      await stranger.stop();
    }
  });

  it('tells neither password when both are refused', async () => {
    const causes: string[] = [];
    const onDisconnected = (cause: Error | undefined): number => causes.push(String(cause?.stack));
    const strangers = [{ auth: 'WRONG-password' }, { sentinelAuth: 'WRONG-password' }];
    for (const options of strangers) {
      const stranger = made({ ...options, onDisconnected });
      await stranger.start();
      const error = await eventually('a refusal', () =>
        stranger.take([hit('a')], 'always', NOW_US).then(
          () => false as const,
          (reason: Error & { cause?: Error }) => (reason.cause === undefined ? (false as const) : reason),
        ),
      );
      expect(`${error.stack} ${error.cause?.stack} ${causes}`).to.not.match(/WRONG-password|S3CRET/);
      await stranger.stop();
    }
  });
});
