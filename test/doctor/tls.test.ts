import { expect } from 'chai';
import { type Certificates, certificates } from '../support/certificates.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
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
});
