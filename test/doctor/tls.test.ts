import { expect } from 'chai';
import { type Certificates, certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis, type ServerTls } from '../support/redis.ts';
import { oneSentinel } from '../support/redis-sentinel.ts';
import { diagnosis, type Ground, ground } from './asking.ts';

describe('weir doctor and TLS', () => {
  let place: Ground;
  let redis: OwnRedis;
  let authority: Certificates;
  let port: number;

  before(async function () {
    needsRedis(this);
    place = await ground();
    authority = await certificates();
    const { cert, key } = await authority.sign('DNS:redis.test');
    port = await freePort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.ca];
    const tls = [...files, '--tls-auth-clients', 'yes'];
    redis = await ownRedis({ args: ['--tls-port', String(port), ...tls] });
  });

  after(async () => {
    await redis?.stop();
    await place?.remove();
    await authority?.remove();
  });

  async function storeOf(url: string, ...flags: readonly string[]) {
    return diagnosis([...place.flags, '--redis-url', url, ...flags]);
  }

  it('says of a certificate that nobody vouches for that it is not trusted', async () => {
    const { code, troubles, named } = await storeOf(`rediss://127.0.0.1:${port}`);
    expect([code, troubles]).to.deep.equal([1, ['fail store.tls']]);
    expect(named('store.tls')[0]).to.deep.include({
      says: `Redis at rediss://127.0.0.1:${port} has a certificate that this host does not trust`,
      todo: 'name its CA in REDIS_TLS_CACERT',
    });
  });

  it('says of a certificate for another name that it is one, and is content without that check', async () => {
    const own = await authority.sign('DNS:client');
    const client = ['--redis-tls-client-cert', own.cert, '--redis-tls-client-key', own.key];
    const flags = ['--redis-tls-cacert', authority.ca, ...client];
    const { troubles, named } = await storeOf(`rediss://127.0.0.1:${port}`, ...flags);
    expect(troubles).to.deep.equal(['fail store.tls']);
    expect(named('store.tls')[0]!.says).to.match(/certificate for another name/);
    const skipping = await storeOf(`rediss://127.0.0.1:${port}`, ...flags, '--redis-tls-skip-hostname-verification');
    expect(skipping.troubles).to.deep.equal([]);
  });

  it('says that a client certificate is wanted', async () => {
    const flags = ['--redis-tls-cacert', authority.ca, '--redis-tls-skip-hostname-verification'];
    const { troubles, named } = await storeOf(`127.0.0.1:${port}`, '--redis-tls', ...flags);
    expect(troubles).to.deep.equal(['fail store.tls']);
    expect(named('store.tls')[0]!.says).to.match(/wants a client certificate$/);
  });

  it('exits 2 for a file that is not there', async () => {
    const { code, troubles } = await storeOf(`rediss://127.0.0.1:${port}`, '--redis-tls-cacert', '/none.pem');
    expect([code, troubles]).to.deep.equal([2, ['fail settings.wrong']]);
  });

  it('says of a TLS port that is asked without that it hangs up, and to try rediss://', async () => {
    const { troubles, named } = await storeOf(`redis://127.0.0.1:${port}`);
    expect(troubles).to.deep.equal(['fail store.closed']);
    expect(named('store.closed')[0]!.todo).to.contain('rediss://');
  });

  describe('of sentinels and of a cluster', () => {
    let tls: ServerTls;
    let flags: readonly string[];

    before(async () => {
      const ca = authority.ca;
      tls = { ca, ...(await authority.sign('IP:127.0.0.1')) };
      const { cert, key } = await authority.sign('DNS:client');
      const client = ['--redis-tls-client-cert', cert, '--redis-tls-client-key', key];
      flags = [...place.flags, '--redis-tls', '--redis-tls-cacert', ca, ...client];
    });

    it('finds nothing wrong with a master that a sentinel names, both with a password', async () => {
      const master = await ownRedis({ tls, password: 'of-redis', args: ['--requirepass', 'of-redis'] });
      const lines = [`sentinel monitor m 127.0.0.1 ${master.port} 1`];
      const sentinel = await oneSentinel({ tls, password: 'of-sentinel', lines });
      const env = { REDIS_AUTH: 'of-redis', REDIS_SENTINEL_AUTH: 'of-sentinel' };
      const found = await diagnosis([...flags, '--redis-type=sentinel', '--redis-url', `m,${sentinel.url}`], env);
      await sentinel.stop();
      await master.stop();
      expect([found.code, found.troubles]).to.deep.equal([0, []]);
    });

    it('says of a sentinel that its certificate is for another name than the host in REDIS_URL', async () => {
      const other = { ca: authority.ca, ...(await authority.sign('DNS:redis.test')) };
      const sentinel = await oneSentinel({ tls: other, lines: ['sentinel monitor m 127.0.0.1 1 1'] });
      const found = await diagnosis([...flags, '--redis-type=sentinel', '--redis-url', `m,${sentinel.url}`]);
      await sentinel.stop();
      expect(found.troubles).to.deep.equal(['fail store.tls']);
      expect(found.named('store.tls')[0]!.says).to.equal(
        `the sentinel of Redis at ${sentinel.url} has a certificate for another name than the host in REDIS_URL`,
      );
    });

    it('finds nothing wrong with a node that names itself', async () => {
      const node = await ownRedis({ tls, args: ['--cluster-enabled', 'yes', '--tls-cluster', 'yes'] });
      await node.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      await eventually('the cluster to be ok', async () =>
        String(await node.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
      );
      const found = await diagnosis([...flags, '--redis-type=cluster', '--redis-url', node.url]);
      await node.stop();
      expect([found.code, found.troubles]).to.deep.equal([0, []]);
    });
  });
});
