import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';

const PATIENT_MS = 10_000;
const SECRET = 'S3CRET-hunter2';

describe('a Redis with TLS, password files and a pool', function () {
  this.timeout(30_000);
  const stores: RedisStore[] = [];
  const causes: string[] = [];
  let directory: string;
  let signed: Certificates;
  let server: OwnRedis;
  let tlsUrl: string;
  let client: { readonly cert: string; readonly key: string };

  before(async function () {
    needsRedis(this);
    directory = await mkdtemp(path.join(tmpdir(), 'weir-kinds-'));
    signed = await certificates();
    const own = await signed.sign('DNS:redis.test');
    client = await signed.sign('DNS:weir.test');
    const port = await freePort();
    const files = ['--tls-cert-file', own.cert, '--tls-key-file', own.key, '--tls-ca-cert-file', signed.ca];
    server = await ownRedis({ args: ['--tls-port', String(port), ...files, '--tls-auth-clients', 'yes'] });
    tlsUrl = `127.0.0.1:${port}`;
  });
  beforeEach(() => server.client.flushall());
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.stop();
    causes.splice(0);
  });
  after(async () => {
    await server?.stop();
    await signed?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  async function dialled(url: string, options: Partial<RedisStoreOptions>): Promise<RedisStore> {
    const store = redisStore({
      url,
      commandTimeoutMs: PATIENT_MS,
      onDisconnected: (cause) => causes.push(cause?.message ?? ''),
      ...options,
    });
    stores.push(store);
    await store.start();
    return store;
  }

  async function counts(url: string, options: Partial<RedisStoreOptions>): Promise<void> {
    const store = await dialled(url, options);
    await eventually('the store to be answered', () => store.everAnswered);
    expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
  }

  async function refused(url: string, options: Partial<RedisStoreOptions>, because: RegExp): Promise<void> {
    const store = await dialled(url, options);
    await eventually(`a dial refused with ${because}`, () => causes.some((cause) => because.test(cause)));
    expect(store.connected).to.equal(false);
  }

  describe('TLS', () => {
    it('counts with a client certificate, the name skipped', () =>
      counts(tlsUrl, { tls: true, tlsFiles: { ca: signed.ca, ...client, skipHostname: true } }));

    it('counts with rediss:// too', () =>
      counts(`rediss://${tlsUrl}`, { tlsFiles: { ca: signed.ca, ...client, skipHostname: true } }));

    it('refuses a certificate for another name', () =>
      refused(tlsUrl, { tls: true, tlsFiles: { ca: signed.ca, ...client } }, /altnames|does not match/));

    it('refuses a chain that ends nowhere, though the name is skipped', () =>
      refused(tlsUrl, { tls: true, tlsFiles: { ...client, skipHostname: true } }, /certificate/));

    it('is refused without a client certificate', () =>
      refused(
        tlsUrl,
        { tls: true, tlsFiles: { ca: signed.ca, skipHostname: true } },
        /certificate required|alert|closed|ECONNRESET|^$/,
      ));

    it('says which files do not serve: a key of another certificate, a text that is no certificate', async () => {
      const other = await signed.sign('DNS:other.test');
      const text = path.join(directory, 'text.pem');
      await writeFile(text, SECRET);
      for (const tlsFiles of [
        { cert: client.cert, key: other.key },
        { ca: text, cert: text, key: text },
      ]) {
        expect(() => redisStore({ url: tlsUrl, tls: true, tlsFiles }))
          .to.throw(Error, /^TLS for Redis from .* can't be used/)
          .with.property('message')
          .that.does.not.contain(SECRET);
      }
    });

    it('dials with the certificates that the files hold by then', async () => {
      const cert = path.join(directory, 'client.crt');
      const key = path.join(directory, 'client.key');
      const stranger = await certificates();
      const wrong = await stranger.sign('DNS:weir.test');
      await copyFile(wrong.cert, cert);
      await copyFile(wrong.key, key);
      const store = await dialled(tlsUrl, { tls: true, tlsFiles: { ca: signed.ca, cert, key, skipHostname: true } });
      await eventually('a refused dial', () => causes.length > 0);
      await copyFile(client.cert, cert);
      await copyFile(client.key, key);
      await eventually('the store to be answered', () => store.everAnswered);
      await stranger.remove();
    });
  });

  describe('a password file', () => {
    let guarded: OwnRedis;
    let authFile: string;
    before(async () => {
      guarded = await ownRedis({ password: SECRET, args: ['--requirepass', SECRET] });
      await guarded.client.acl('SETUSER', 'weir', 'on', '>let:me:in', '~*', '+@all');
    });
    beforeEach(async () => {
      authFile = path.join(directory, 'auth');
      await guarded.client.flushall();
    });
    after(() => guarded?.stop());

    it('holds a password, its line end left out, and beats REDIS_AUTH', async () => {
      await writeFile(authFile, `${SECRET}\n`);
      await counts(guarded.url, { authFile, auth: 'wrong' });
    });

    it('holds a user and a password with colons', async () => {
      await writeFile(authFile, 'weir:let:me:in\r\n');
      await counts(guarded.url, { authFile });
      expect(await guarded.client.client('LIST')).to.contain('user=weir');
    });

    it('is read again at the next dial, and not shown while it is wrong', async () => {
      await writeFile(authFile, 'WRONG-password');
      const store = await dialled(guarded.url, { authFile });
      await eventually('a refused login', () => causes.some((cause) => cause.includes('WRONGPASS')));
      const error = await store.take([hit('a')], 'always', NOW_US).catch((reason: unknown) => reason as Error);
      const told = JSON.stringify([causes, error, (error as Error).cause, String((error as Error).stack)]);
      expect(told).to.not.contain('WRONG-password');
      await rm(authFile);
      const before = causes.length;
      await eventually('a dial without the file', () => causes.length > before);
      await writeFile(authFile, SECRET);
      await eventually('the store to be answered', () => store.everAnswered);
    });

    it('is not shown by a node of a cluster that refuses it, nor in the address', async () => {
      const store = await dialled(`redis://:${SECRET}@${guarded.url}`, {
        type: 'cluster',
        auth: 'weir:WRONG-password',
      });
      await eventually('a refused login', () => causes.some((cause) => cause.includes('WRONGPASS')));
      const error = await store.take([hit('a')], 'always', NOW_US).catch((reason: unknown) => reason as Error);
      const told = [...causes, store.address, String((error as Error).stack), String((error as Error).cause)].join();
      expect(told).to.not.match(/WRONG-password|S3CRET/);
    });

    it('that is not there stops the start', () => {
      expect(() => redisStore({ url: guarded.url, authFile: '/no/such' })).to.throw(
        "the Redis password file /no/such can't be used: ENOENT",
      );
    });
  });

  describe('a pool of 3', () => {
    it('sends batches over its connections in turn', async () => {
      const store = await dialled(server.url, { poolSize: 3 });
      await eventually('3 connections', () => store.connections === 3);
      for (let i = 0; i < 6; i++) await store.take([hit('a')], 'always', NOW_US);
      const list = String(await server.client.client('LIST'));
      const last = [...list.matchAll(/name=weir .*cmd=(\S+)/g)].map(([, command]) => command);
      expect(last).to.deep.equal(['evalsha', 'evalsha', 'evalsha']);
      expect(await server.client.get('a')).to.equal('6');
    });

    it('uses both of 2 connections', async () => {
      const store = await dialled(server.url, { poolSize: 2 });
      await eventually('2 connections', () => store.connections === 2);
      for (let i = 0; i < 6; i++) await store.take([hit('b')], 'always', NOW_US);
      const list = String(await server.client.client('LIST'));
      const last = [...list.matchAll(/name=weir .*cmd=(\S+)/g)].map(([, command]) => command);
      expect(last.slice(-2)).to.deep.equal(['evalsha', 'evalsha']);
    });

    it('goes on counting when one connection is killed, and makes a new one', async () => {
      const store = await dialled(server.url, { poolSize: 3 });
      await eventually('3 connections', () => store.connections === 3);
      const [, id] = /id=(\d+) .*name=weir/.exec(String(await server.client.client('LIST'))) as unknown as [
        string,
        string,
      ];
      await server.client.client('KILL', 'ID', id);
      await eventually('the loss to be seen', () => causes.length > 0);
      expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
      await eventually('3 connections again', () => store.connections === 3);
      expect(store.stats.reconnects).to.equal(1);
    });
  });

  it('collects for a window of 40 ms what comes in 5 turns of the event loop, and stops with all of it sent', async () => {
    const batches: number[] = [];
    const store = await dialled(server.url, { windowMs: 40, onBatch: (hits) => batches.push(hits) });
    await eventually('the store to be answered', () => store.everAnswered);
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 5; i++) {
      calls.push(store.take([hit('a')], 'always', NOW_US));
      await new Promise((turn) => setImmediate(turn));
    }
    await store.stop();
    await Promise.all(calls);
    expect(await server.client.get('a')).to.equal('5');
    expect(batches).to.deep.equal([5]);
  });
});
