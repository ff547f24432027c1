import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { certificates as findings } from '../../src/doctor/certificates.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { type Certificates, certificates, type Signed } from '../support/certificates.ts';
import { diagnosis, type Ground, ground } from './asking.ts';

const DAY_MS = 86_400_000;

describe('weir doctor and TLS on the gRPC port', () => {
  let place: Ground;
  let authority: Certificates;
  let own: Signed;

  before(async () => {
    place = await ground();
    authority = await certificates();
    own = await authority.sign('DNS:weir.test', { days: 90 });
  });

  after(async () => {
    await place.remove();
    await authority.remove();
  });

  function flags({ cert, key }: Signed, ...more: readonly string[]): readonly string[] {
    return ['--grpc-server-use-tls', '--grpc-server-tls-cert', cert, '--grpc-server-tls-key', key, ...more];
  }

  async function asked(...args: readonly string[]) {
    return diagnosis([...place.flags, '--backend-type', 'memory', ...args]);
  }

  it('is content with a pair that fits, and says for whom and until when it is', async () => {
    const { code, named } = await asked(...flags(own, '--grpc-client-tls-cacert', authority.ca));
    expect(code).to.equal(0);
    expect(named('tls.certificate')[0]!.says).to.match(/is for DNS:weir\.test, valid until .*Z, and its key fits$/);
    expect(named('tls.clients')[0]!.says).to.match(/^only clients with a certificate of .* are let in$/);
  });

  it('says nothing of TLS without it, and that its names are without effect', async () => {
    const { findings: all, named } = await asked('--grpc-server-tls-cert', own.cert);
    expect(all.filter(({ name }) => name.startsWith('tls.'))).to.deep.equal([]);
    expect(named('settings.effect')[0]!.says).to.match(/^GRPC_SERVER_TLS_CERT is set and without effect/);
  });

  it('exits 2, as weir serve would, for files that are missing, unreadable, no PEM, or no pair', async () => {
    const other = await authority.sign('DNS:weir.test');
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--grpc-server-use-tls'], /^GRPC_SERVER_TLS_CERT: is needed, because GRPC_SERVER_USE_TLS is true$/],
      [flags({ cert: '/none.pem', key: own.key }), /^GRPC_SERVER_TLS_CERT: \/none\.pem cannot be read: ENOENT$/],
      [flags({ cert: own.cert, key: own.cert }), /^GRPC_SERVER_TLS_KEY: there is no private key in PEM form/],
      [flags({ cert: own.key, key: own.key }), /^GRPC_SERVER_TLS_CERT: there is no certificate in PEM form/],
      [flags({ cert: own.cert, key: other.key }), /^GRPC_SERVER_TLS_KEY: the key in .* is not that of/],
      [flags(own, '--grpc-client-tls-cacert', own.key), /^GRPC_CLIENT_TLS_CACERT: there is no certificate/],
      [
        flags(own, '--grpc-client-tls-san', 'a.test'),
        /^GRPC_CLIENT_TLS_CACERT: is needed, because GRPC_CLIENT_TLS_SAN/,
      ],
    ];
    for (const [args, says] of cases) {
      const { code, named } = await asked(...args);
      expect(code).to.equal(2);
      expect(named('settings.wrong')[0]!.says).to.match(says);
    }
  });

  it('fails an expired certificate, and warns of one that ends within 14 days and a quarter of its time', () => {
    const read = readSettings(flags(own), {}).settings;
    const marks = (days: number) =>
      findings(read, Date.now() + days * DAY_MS).map(({ mark, name }) => `${mark} ${name}`);
    expect(marks(0)).to.deep.equal(['ok tls.certificate', 'ok tls.clients']);
    expect(marks(75)).to.include('ok tls.certificate');
    expect(marks(77)).to.include('warn tls.certificate');
    expect(marks(91)).to.include('fail tls.certificate');
    expect(marks(-1)).to.include('fail tls.certificate');
  });

  it('fails an expired authority for clients', () => {
    const read = readSettings(flags(own, '--grpc-client-tls-cacert', authority.ca), {}).settings;
    const [, clients] = findings(read, Date.now() + 89 * DAY_MS);
    expect(clients).to.include({ mark: 'fail', name: 'tls.clients' });
  });

  it("warns that Envoy Gateway's authority is not enforced", async () => {
    const { named } = await asked(...flags(own, '--grpc-server-tls-ca-cert', authority.ca));
    expect(named('tls.authority')[0]!.mark).to.equal('warn');
  });

  it('looks at the socket in place of the port: free, served, in no directory', async () => {
    const path = join(place.directory, 'grpc.sock');
    const grpc = async (at: string) => (await asked('--grpc-uds', at)).named('ports.grpc').map(({ mark }) => mark);
    expect(await grpc(path)).to.deep.equal(['ok']);
    expect(await grpc(join(place.directory, 'none', 'grpc.sock'))).to.deep.equal(['fail']);
    const held = createServer().listen(path);
    await new Promise((listening) => held.once('listening', listening));
    const { named } = await asked('--grpc-uds', path);
    await new Promise((closed) => held.close(closed));
    expect(named('ports.grpc')[0]!.says).to.match(/is served/);
    expect(await grpc(join(place.directory, 'rules.yaml'))).to.deep.equal(['fail']);
  });
});
