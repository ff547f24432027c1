import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { StoreError } from '../../src/core/ports.ts';
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/store/redis/redis-store.ts';
import { slotOf } from '../../src/store/redis/slot.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis, type ServerTls } from '../support/redis.ts';
import { type OwnCluster, ownCluster } from '../support/redis-cluster.ts';
import { type OneSentinel, type OwnSentinel, oneSentinel, ownSentinel } from '../support/redis-sentinel.ts';

const PATIENT_MS = 5_000;
const PASSWORD = 'S3CRET-server';
const SENTINEL_PASSWORD = 'S3CRET-sentinel';
const TEN = Array.from({ length: 10 }, (_, i) => hit(`key_${i}`));
const NO_CLIENT_CERTIFICATE = /certificate required|alert|closed|ECONNRESET|^$/;
const OTHER_NAME = /altnames|does not match/;

describe('Redis by TLS beyond one server', function () {
  this.timeout(60_000);
  let directory: string;
  let signed: Certificates;
  let server: ServerTls;
  /** For a host that the tests have no name of. */
  let elsewhere: ServerTls;
  let ours: { readonly ca: string; readonly cert: string; readonly key: string };
  const stores: RedisStore[] = [];
  const causes: string[] = [];

  before(async function () {
    needsRedis(this);
    directory = await mkdtemp(path.join(tmpdir(), 'weir-tls-'));
    signed = await certificates();
    const { ca } = signed;
    server = { ca, ...(await signed.sign('IP:127.0.0.1')) };
    elsewhere = { ca, ...(await signed.sign('DNS:redis.test')) };
    ours = { ca, ...(await signed.sign('DNS:weir.test')) };
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.stop();
    causes.splice(0);
  });
  after(async () => {
    await signed?.remove();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  async function file(name: string, text: string): Promise<string> {
    const at = path.join(directory, name);
    await writeFile(at, text);
    return at;
  }

  async function dialled(options: RedisStoreOptions): Promise<RedisStore> {
    const onDisconnected = (cause: Error | undefined): number => causes.push(cause?.message ?? '');
    const store = redisStore({ commandTimeoutMs: PATIENT_MS, tls: true, tlsFiles: ours, onDisconnected, ...options });
    stores.push(store);
    await store.start();
    return store;
  }

  async function refused(options: RedisStoreOptions, because: RegExp): Promise<void> {
    const store = await dialled(options);
    await eventually(`a dial refused with ${because}`, () => causes.some((cause) => because.test(cause)));
    expect([store.connected, store.everAnswered]).to.deep.equal([false, false]);
    expect(causes.join()).to.not.contain('S3CRET');
  }

  const counts = (store: RedisStore, key = 'a'): Promise<boolean> =>
    store.take([hit(key)], 'always', NOW_US).then(
      () => true,
      () => false,
    );

  describe('a cluster', () => {
    let own: OwnCluster;
    before(async () => {
      own = await ownCluster({ tls: server, password: PASSWORD });
    });
    after(() => own?.stop());
    const cluster = (): RedisStoreOptions => ({ url: own.url, type: 'cluster', auth: PASSWORD });

    it('counts 10 hits on different slots with a client certificate, also when the URL of one node asks for TLS', async () => {
      const store = await dialled(cluster());
      await eventually('every master to be connected', () => store.connected);
      expect(used(await store.take(TEN, 'always', NOW_US))).to.deep.equal(new Array(10).fill(1));
      const byUrl = await dialled({ ...cluster(), url: `rediss://${own.nodes[0]!.url}`, tls: false });
      await eventually('every master to be connected', () => byUrl.connected);
      expect(used(await byUrl.take(TEN, 'always', NOW_US))).to.deep.equal(new Array(10).fill(2));
    });

    it('is not counted in without a client certificate, without its authority, or without TLS', async () => {
      await refused({ ...cluster(), tlsFiles: { ca: ours.ca } }, NO_CLIENT_CERTIFICATE);
      await refused({ ...cluster(), tlsFiles: { cert: ours.cert, key: ours.key } }, /certificate/);
      await refused({ ...cluster(), tls: false }, /closed|ECONNRESET|^$/);
    });

    it('dials all nodes with the password and the certificate that the files hold by then', async () => {
      const stranger = await certificates();
      const wrong = await stranger.sign('DNS:weir.test');
      const [cert, key] = [path.join(directory, 'cluster.crt'), path.join(directory, 'cluster.key')];
      await copyFile(wrong.cert, cert);
      await copyFile(wrong.key, key);
      const authFile = await file('cluster-auth', 'WRONG-password\n');
      const store = await dialled({ ...cluster(), auth: undefined, authFile, tlsFiles: { ca: ours.ca, cert, key } });
      await eventually('a refused dial', () => causes.length > 0);
      await copyFile(ours.cert, cert);
      await copyFile(ours.key, key);
      await eventually('a refused login', () => causes.some((cause) => cause.includes('WRONGPASS')));
      await file('cluster-auth', PASSWORD);
      await eventually('every master to be connected', () => store.connected);
      expect(await counts(store)).to.equal(true);
      await stranger.remove();
    });

    it('counts again after a promotion, in a node that was dialled because the others named it', async () => {
      const store = await dialled({ ...cluster(), auth: undefined, authFile: await file('cluster-auth', PASSWORD) });
      await eventually('every master to be connected', () => store.connected);
      const lost = await own.masterOf(slotOf('lost'));
      await lost.kill();
      await eventually('the loss to be seen', () => !store.connected);
      const error = await store.take([hit('lost')], 'always', NOW_US).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(StoreError).with.property('code', 'unavailable');
      await eventually('every master to be connected', () => store.connected);
      await eventually('a call that succeeds', () => counts(store, 'lost'));
    });
  });

  describe('sentinels', () => {
    let own: OwnSentinel;
    before(async () => {
      const passwords = { password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD };
      own = await ownSentinel({ ...passwords, tls: server, sentinelTls: elsewhere, keepsConnections: true });
    });
    after(() => own?.stop());
    const sentinel = (): RedisStoreOptions => ({
      url: own.url,
      type: 'sentinel',
      auth: PASSWORD,
      sentinelAuth: SENTINEL_PASSWORD,
      tlsFiles: { ...ours, skipHostname: true },
    });

    it('lead to the master, both hops with a client certificate', async () => {
      const store = await dialled(sentinel());
      await eventually('the store to be connected', () => store.connected);
      expect(await counts(store)).to.equal(true);
      expect(await (await own.master()).client.get('a')).to.equal('1');
    });

    it('are not asked when their certificate is for another name, and the name is not skipped', () =>
      refused({ ...sentinel(), tlsFiles: ours }, OTHER_NAME));

    it('are not asked without a client certificate, without their authority, or without TLS', async () => {
      await refused({ ...sentinel(), tlsFiles: { ca: ours.ca, skipHostname: true } }, NO_CLIENT_CERTIFICATE);
      await refused(
        { ...sentinel(), tlsFiles: { cert: ours.cert, key: ours.key, skipHostname: true } },
        /certificate|unreachable/,
      );
      await refused({ ...sentinel(), tls: false }, /closed|ECONNRESET|unreachable|^$/);
    });

    it('lead to the promoted server, passwords in files, while connections to the old one stay open', async () => {
      const store = await dialled({
        ...sentinel(),
        auth: undefined,
        sentinelAuth: undefined,
        authFile: await file('auth', `${PASSWORD}\n`),
        sentinelAuthFile: await file('sentinel-auth', `${SENTINEL_PASSWORD}\n`),
      });
      await eventually('the store to be connected', () => store.connected);
      const before = await own.master();
      await own.failover();
      const after = await eventually('a promotion', async () => {
        const named = await own.master();
        return named !== before && named;
      });
      await eventually('a hit counted in the new master', async () => {
        await counts(store, 'promoted');
        return (await after.client.get('promoted')) !== null;
      });
    });
  });

  describe('a sentinel that names another master while the first goes on as one', () => {
    let first: OwnRedis;
    let next: OwnRedis;
    let sentinel: OneSentinel;
    before(async () => {
      const options = { tls: server, password: PASSWORD, args: ['--requirepass', PASSWORD] };
      [first, next] = await Promise.all([ownRedis(options), ownRedis(options)]);
      const lines = [`sentinel monitor m 127.0.0.1 ${first.port} 1`, `sentinel auth-pass m ${PASSWORD}`];
      sentinel = await oneSentinel({ lines, password: SENTINEL_PASSWORD, tls: server });
    });
    after(async () => {
      await sentinel?.stop();
      await first?.stop();
      await next?.stop();
    });

    it('is heard, though password and certificate were replaced since the store was dialled', async () => {
      const [cert, key] = [path.join(directory, 'watch.crt'), path.join(directory, 'watch.key')];
      await copyFile(ours.cert, cert);
      await copyFile(ours.key, key);
      const store = await dialled({
        url: `m,${sentinel.url}`,
        type: 'sentinel',
        auth: PASSWORD,
        sentinelAuthFile: await file('watch-auth', SENTINEL_PASSWORD),
        tlsFiles: { ca: ours.ca, cert, key },
      });
      await eventually('a hit counted in the first', () => counts(store));
      expect(await first.client.get('a')).to.not.equal(null);
      // A dial asks and hangs up; the watch stays.
      await eventually('the watch to have asked', async () => {
        const list = String(await sentinel.client.call('CLIENT', 'LIST'));
        return /age=[1-9].* cmd=sentinel\|get-master-addr-by-name/.test(list);
      });

      const fresh = await signed.sign('DNS:fresh.test');
      await copyFile(fresh.cert, cert);
      await copyFile(fresh.key, key);
      await file('watch-auth', 'S3CRET-new\n');
      await sentinel.client.call('ACL', 'SETUSER', 'default', 'resetpass', '>S3CRET-new');
      await sentinel.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await sentinel.client.call('SENTINEL', 'REMOVE', 'm');
      await sentinel.client.call('SENTINEL', 'MONITOR', 'm', '127.0.0.1', String(next.port), '1');

      await eventually('a hit counted in the other', async () => {
        await counts(store, 'b');
        return (await next.client.get('b')) !== null;
      });
      expect(String(await first.client.info('replication'))).to.contain('role:master');
      expect(String(await first.client.info('errorstats'))).to.not.contain('READONLY');
    });
  });
});
