import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { type ClientTls, type RlsClient, rlsClient } from '../../src/grpc/client.ts';
import { type Certificates, certificates, type Signed } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import { one } from './caller.ts';
import { closers } from './closers.ts';
import { metric } from './page.ts';
import { traffic } from './traffic.ts';

const RULES = {
  'd.yaml': { domain: 'd', descriptors: [{ key: 'user', rate_limit: { unit: 'year', requests_per_unit: 1_000_000 } }] },
};
const REQUEST = one('d', 'user', 'ann');
const EXPIRY = 'ratelimit_grpc_tls_certificate_expiry_timestamp_seconds';

describe('a service with TLS on its gRPC port', () => {
  const opened = closers();
  let authority: Certificates;
  let stranger: Certificates;
  let own: Signed;
  let client: Signed;

  before(async () => {
    [authority, stranger] = await Promise.all([certificates(), certificates()]);
    opened(authority, authority.remove);
    opened(stranger, stranger.remove);
    own = await authority.sign('DNS:localhost,IP:127.0.0.1');
    client = await authority.sign('DNS:envoy.test');
  });

  /** Certificates below `..data`, as Kubernetes mounts a Secret. */
  async function mount(): Promise<{ readonly at: string; put(pair: Signed): Promise<void> }> {
    const at = await mkdtemp(join(tmpdir(), 'weir-secret-'));
    opened(at, () => rm(at, { recursive: true, force: true }));
    let generation = 0;
    const put = async ({ cert, key }: Signed) => {
      const folder = `..generation_${++generation}`;
      await mkdir(join(at, folder));
      await copyFile(cert, join(at, folder, 'tls.crt'));
      await copyFile(key, join(at, folder, 'tls.key'));
      await copyFile(authority.ca, join(at, folder, 'ca.crt'));
      await symlink(folder, join(at, '..data_next'));
      await rename(join(at, '..data_next'), join(at, '..data'));
    };
    await put(own);
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await symlink(join('..data', name), join(at, name));
    return { at, put };
  }

  async function start(at: string, env: Readonly<Record<string, string>> = {}): Promise<Service> {
    const tls = {
      GRPC_SERVER_USE_TLS: 'true',
      GRPC_SERVER_TLS_CERT: join(at, 'tls.crt'),
      GRPC_SERVER_TLS_KEY: join(at, 'tls.key'),
      LOG_LEVEL: 'info',
    };
    const weir = await service({ rules: RULES, env: { ...tls, ...env } });
    return opened(weir, weir.close);
  }

  function callerOf(weir: Service, signed: Signed | null, more: Partial<ClientTls> = {}): RlsClient {
    const shown = signed === null ? {} : { cert: readFileSync(signed.cert), key: readFileSync(signed.key) };
    const tls = { ca: readFileSync(authority.ca), ...shown, ...more };
    const made = rlsClient(`127.0.0.1:${weir.grpcPort}`, { timeoutMs: 25_000, tls });
    return opened(made, made.close);
  }

  function ask(caller: RlsClient): Promise<string> {
    return caller.check(REQUEST).then(
      ({ overallCode }) => overallCode,
      ({ code, message }) => `${status[code]}: ${message}`,
    );
  }

  const refusals = (weir: Service, because: string) =>
    metric(weir.httpPort, `ratelimit_grpc_tls_refused_connections_total{because="${because}"}`);

  it("lets in who shows a certificate of the authority for the name; the system's authorities count for nothing", async () => {
    const { at } = await mount();
    const weir = await start(at, {
      GRPC_CLIENT_TLS_CACERT: join(at, 'ca.crt'),
      GRPC_CLIENT_TLS_SAN: 'envoy.test',
      NODE_EXTRA_CA_CERTS: stranger.ca,
    });
    expect(await ask(callerOf(weir, client))).to.equal('OK');
    const cases: readonly (readonly [string, Signed | null])[] = [
      ['no_certificate', null],
      ['untrusted', await stranger.sign('DNS:envoy.test')],
      ['expired', await authority.sign('DNS:envoy.test', { days: -1 })],
      ['wrong_name', await authority.sign('DNS:other.test')],
    ];
    for (const [because, signed] of cases) {
      expect(await ask(callerOf(weir, signed)), because).to.match(/^UNAVAILABLE: /);
      expect(await refusals(weir, because), because).to.be.greaterThan(0);
    }
    expect(weir.process().output()).to.include('a gRPC connection is refused: it shows no certificate');
  });

  it('takes a new pair below ..data under load without a failed call, keeps it while another is bad, and tells both', async () => {
    const { at, put } = await mount();
    const weir = await start(at);
    const kept = callerOf(weir, null);
    const steady = traffic({ ask: () => ask(kept) }, REQUEST);
    const dialling = traffic(
      {
        async ask() {
          const tls = { ca: readFileSync(authority.ca) };
          const fresh = rlsClient(`127.0.0.1:${weir.grpcPort}`, { timeoutMs: 25_000, tls });
          const answer = await ask(fresh);
          fresh.close();
          return answer;
        },
      },
      REQUEST,
    );
    await Promise.all([steady.goesOn(), dialling.goesOn()]);
    const first = await metric(weir.httpPort, EXPIRY);
    await put(await authority.sign('DNS:localhost,IP:127.0.0.1', { days: 300 }));
    await eventually('the new pair', async () => (await metric(weir.httpPort, EXPIRY)) > first + 200 * 86_400);
    await Promise.all([steady.goesOn(), dialling.goesOn()]);
    await put({ cert: own.cert, key: client.key });
    const results = (result: string) => metric(weir.httpPort, `ratelimit_grpc_tls_reloads_total{result="${result}"}`);
    await eventually('the refusal', async () => (await results('refused')) === 1);
    await Promise.all([steady.goesOn(), dialling.goesOn()]);
    expect(Object.keys(await steady.end())).to.deep.equal(['OK']);
    expect(Object.keys(await dialling.end())).to.deep.equal(['OK']);
    expect(await results('taken')).to.equal(1);
    const output = weir.process().output();
    expect(output).to.include('gRPC has a new certificate: for DNS:localhost');
    expect(output).to.match(
      /the certificate of gRPC stays the old one: GRPC_SERVER_TLS_KEY: the key in .* is not that/,
    );
    expect(output).to.not.include('PRIVATE KEY');
  });

  it('starts with an expired certificate, and says so', async () => {
    const { at, put } = await mount();
    await put(await authority.sign('DNS:localhost', { days: -1 }));
    const weir = await start(at);
    expect(weir.process().output()).to.include('the certificate of gRPC has expired');
  });

  it("takes Envoy Gateway's GRPC_SERVER_TLS_CA_CERT, tells it, and does not enforce it", async () => {
    const { at } = await mount();
    const weir = await start(at, { GRPC_SERVER_TLS_CA_CERT: join(at, 'ca.crt') });
    expect(await ask(callerOf(weir, null))).to.equal('OK');
    expect(weir.process().output()).to.include('GRPC_SERVER_TLS_CA_CERT is set and not enforced');
  });

  it('does not start without its files: exit code 2, and a sentence that names the setting', async () => {
    const failed = await start('/none').then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(failed).to.include('ended with code 2');
    expect(failed).to.include('weir serve: GRPC_SERVER_TLS_CERT: /none/tls.crt cannot be read: ENOENT');
  });

  it('is asked by weir client: by its flags, and on a unix socket', async () => {
    const { at } = await mount();
    const weir = await start(at, {
      GRPC_CLIENT_TLS_CACERT: join(at, 'ca.crt'),
      GRPC_UDS: join(at, 'grpc.sock'),
    });
    const asked = ['--address', `unix:${join(at, 'grpc.sock')}`, '--domain', 'd', '--descriptor', 'user=ann'];
    const flags = ['--tls-ca', authority.ca, '--tls-cert', client.cert, '--tls-key', client.key];
    const run = (...args: readonly string[]) =>
      new Promise<string>((done) => {
        execFile(process.execPath, ['dist/main.js', 'client', ...asked, ...args], (_error, stdout, stderr) => {
          done(stdout + stderr);
        });
      });
    expect(await run(...flags)).to.match(/^OK\n/);
    expect(await run(...flags, '--tls-server-name', '127.0.0.1')).to.match(/^OK\n/);
    expect(await run(...flags, '--tls-server-name', 'other.test')).to.match(/^weir client: no answer: .*other\.test/);
    expect(await run()).to.match(/^weir client: no answer/);
    expect(await run('--tls-cert', client.cert)).to.match(/^weir client: --tls-cert and --tls-key go together/);
    expect(weir.process().output()).to.include(`serving: grpc unix:${join(at, 'grpc.sock')}`);
    expect(weir.process().output()).to.include('--tls-ca CA_FILE --tls-cert CERT_FILE --tls-key KEY_FILE');
  });
});
