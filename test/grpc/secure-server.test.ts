import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { type CertificatesOptions, certificates as ownCertificates } from '../../src/grpc/certificates.ts';
import { HEALTH_CHECK, HEALTH_WATCH, health } from '../../src/grpc/health.ts';
import { reflection } from '../../src/grpc/reflection.ts';
import { type GrpcServer, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { type Certificates, certificates, type Signed } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { GRPC_BOUNDS } from './bounds.ts';

const ECHO = '/t.T/Echo';
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** As ServerReflectionRequest: `list_services: ""`. */
const LIST_SERVICES = Buffer.of(0x3a, 0);
/** RFC 9113, section 3.4: the magic, and SETTINGS without a word. */
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)]);
const run = promisify(execFile);
const asIs = (bytes: Buffer) => bytes;

for (const transport of ['grpc-js', 'wire'] as const) {
  describe(`TLS on the gRPC port, on ${transport}`, () => suite(transport));
}

function suite(transport: Transport): void {
  let authority: Certificates;
  let stranger: Certificates;
  let own: Signed;
  let directory: string;
  let server: GrpcServer;
  let port: number;
  let refusals: string[];
  let told: string[];
  const closers: (() => unknown)[] = [];

  before(async () => {
    authority = await certificates();
    stranger = await certificates();
    own = await authority.sign('DNS:weir.test');
  });

  after(async () => {
    await authority?.remove();
    await stranger?.remove();
  });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weir-tls-'));
    refusals = [];
    told = [];
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await rm(directory, { recursive: true, force: true });
  });

  interface Start extends CertificatesOptions {
    readonly signed?: Signed;
    readonly clientCa?: string | null;
    readonly clientName?: string | null;
    readonly maxConnectionAgeMs?: number;
  }

  async function start(options: Start = {}): Promise<void> {
    const { signed = own, clientCa = null, clientName = null, maxConnectionAgeMs = 0, ...more } = options;
    await put(signed, clientCa);
    const file = (name: string, setting: string) => ({ path: join(directory, name), setting });
    const files = {
      cert: file('tls.crt', 'CERT'),
      key: file('tls.key', 'KEY'),
      clientCa: clientCa === null ? null : file('ca.crt', 'CA'),
    };
    const read = ownCertificates(files, {
      onReplaced: ({ names }) => told.push(`taken: ${names}`),
      onRefused: ({ message }) => told.push(message.replaceAll(directory, 'DIR')),
      ...more,
    });
    const state = health();
    state.set(true);
    server = grpcServer({
      ...GRPC_BOUNDS,
      transport,
      place: { host: '127.0.0.1', port: 0 },
      handlers: { [ECHO]: async (message) => message, [HEALTH_CHECK]: state.check },
      streams: { [HEALTH_WATCH]: state.watch, ...reflection() },
      health: state,
      drainTimeoutMs: 10_000,
      maxConnectionAgeMs,
      tls: { certificates: read, clientName, onRefused: (because) => refusals.push(because) },
    });
    await read.start();
    await server.start();
    closers.push(read.stop, server.stop);
    port = Number(server.target()!.split(':')[1]);
  }

  /** Writes in place what the files hold from now on. */
  async function put({ cert, key }: Signed, ca: string | null = null): Promise<void> {
    await copyFile(cert, join(directory, 'tls.crt'));
    await copyFile(key, join(directory, 'tls.key'));
    if (ca !== null) await copyFile(ca, join(directory, 'ca.crt'));
  }

  function clientWith(signed: Signed | null, ca = authority.ca): Client {
    const [cert, key] = signed === null ? [null, null] : [readFileSync(signed.cert), readFileSync(signed.key)];
    const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(readFileSync(ca), key, cert), {
      'grpc.ssl_target_name_override': 'weir.test',
      'grpc.use_local_subchannel_pool': 1,
    });
    closers.push(() => client.close());
    return client;
  }

  /** The status of one call: `OK`, `UNAVAILABLE`. */
  function ask(client: Client, path = ECHO): Promise<string> {
    return new Promise((resolve) => {
      const done = (error: ServiceError | null) => resolve(status[error?.code ?? 0]!);
      const deadline = Date.now() + 20_000;
      client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), new Metadata(), { deadline }, done);
    });
  }

  function dial(options: object): TLSSocket {
    const socket = connect({ host: '127.0.0.1', port, servername: 'weir.test', rejectUnauthorized: false, ...options });
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
    return socket;
  }

  /** Resolves when OpenSSL's own client has hung up on what it does not trust; Node's clients say nothing of why. */
  function openssl(ca: string): Promise<unknown> {
    const address = ['-connect', `127.0.0.1:${port}`, '-servername', 'weir.test', '-alpn', 'h2'];
    const asked = run('openssl', ['s_client', ...address, '-verify_return_error', '-CAfile', ca]);
    return asked.then(
      () => Promise.reject(new Error('it trusts the server')),
      () => {},
    );
  }

  /** The serial number of the certificate that a new connection is shown. */
  async function serial(): Promise<string> {
    const socket = dial({ ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  it('answers calls, health and reflection, on 1 connection', async () => {
    await start();
    const client = clientWith(null);
    expect(await ask(client)).to.equal('OK');
    expect(await ask(client, HEALTH_CHECK)).to.equal('OK');
    const stream = client.makeBidiStreamRequest(REFLECTION, asIs, asIs);
    stream.write(LIST_SERVICES);
    const [reply] = await once(stream, 'data');
    stream.end();
    expect(String(reply)).to.include('grpc.health.v1.Health');
    expect(server.numbers().connections).to.equal(1);
  });

  it('refuses plain text, and a client that does not ask for HTTP/2', async () => {
    await start();
    const plain = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    closers.push(() => plain.close());
    expect(await ask(plain)).to.equal('UNAVAILABLE');
    for (const options of [{}, { ALPNProtocols: ['http/1.1'] }]) {
      const socket = dial(options);
      await new Promise((closed) => socket.once('close', closed));
    }
    expect([...new Set(refusals)]).to.deep.equal(['no_tls', 'no_http2']);
  });

  it('tells of clients that do not trust its certificate: of an unknown authority, or expired', async () => {
    await start();
    expect(await ask(clientWith(null, stranger.ca))).to.equal('UNAVAILABLE');
    await openssl(stranger.ca);
    await eventually('the alert', () => refusals.length > 0);
    expect(refusals).to.deep.equal(['distrusts_us']);
    await server.stop();
    await start({ signed: await authority.sign('DNS:weir.test', { days: -1 }) });
    expect(await ask(clientWith(null))).to.equal('UNAVAILABLE');
    await openssl(authority.ca);
    await eventually('the alert', () => refusals.length > 1);
    expect(refusals).to.deep.equal(['distrusts_us', 'distrusts_us']);
  });

  it('says nothing of those who only look whether the port is open', async () => {
    await start();
    const probe = createConnection({ host: '127.0.0.1', port });
    await once(probe, 'connect');
    probe.destroy();
    expect(await ask(clientWith(null))).to.equal('OK');
    expect(refusals).to.deep.equal([]);
  });

  it('lets in no client without a certificate of the one authority, in its time and for clients', async () => {
    await start({ clientCa: authority.ca });
    const cases: readonly (readonly [string, Signed | null])[] = [
      ['no_certificate', null],
      ['untrusted', await stranger.sign('DNS:client.test')],
      ['expired', await authority.sign('DNS:client.test', { days: -1 })],
      ['wrong_purpose', await authority.sign('DNS:client.test', { usage: 'serverAuth' })],
    ];
    // A client that is refused dials again and again, so a reason may come back; a new one is that of the newest client.
    const reasons = (): readonly string[] => [...new Set(refusals)];
    for (const [i, [because, signed]] of cases.entries()) {
      expect(await ask(clientWith(signed)), because).to.equal('UNAVAILABLE');
      expect(reasons()).to.deep.equal(cases.slice(0, i + 1).map(([name]) => name));
    }
    expect(await ask(clientWith(await authority.sign('DNS:client.test')))).to.equal('OK');
    expect(await ask(clientWith(await authority.sign('DNS:x.test', { usage: 'clientAuth' })))).to.equal('OK');
    expect(reasons()).to.have.lengthOf(cases.length);
  });

  it('lets in only clients whose certificate is for the name', async () => {
    await start({ clientCa: authority.ca, clientName: 'a.client.test' });
    const cases: readonly (readonly [string, string])[] = [
      ['DNS:a.client.test', 'OK'],
      ['DNS:other.test,DNS:A.Client.Test', 'OK'],
      ['DNS:*.client.test', 'OK'],
      ['DNS:b.client.test', 'UNAVAILABLE'],
      ['DNS:client.test', 'UNAVAILABLE'],
      ['DNS:*.test', 'UNAVAILABLE'],
      ['DNS:a*.client.test', 'UNAVAILABLE'],
      ['IP:127.0.0.1', 'UNAVAILABLE'],
      // The name of the subject counts for nothing.
      ['', 'UNAVAILABLE'],
    ];
    for (const [names, expected] of cases) {
      const signed = await authority.sign(names, { commonName: 'a.client.test' });
      expect(await ask(clientWith(signed)), names).to.equal(expected);
    }
    expect([...new Set(refusals)]).to.deep.equal(['wrong_name']);
  });

  it('takes an address for a name', async () => {
    await start({ clientCa: authority.ca, clientName: '10.1.2.3' });
    expect(await ask(clientWith(await authority.sign('IP:10.1.2.3')))).to.equal('OK');
    expect(await ask(clientWith(await authority.sign('DNS:10.1.2.3')))).to.equal('UNAVAILABLE');
  });

  it('shows a new certificate when its files change, and keeps the old one while the pair is bad', async () => {
    await start({ gatherMs: 1 });
    const first = await serial();
    const next = await authority.sign('DNS:weir.test,DNS:next.test');
    await put(next);
    await eventually('the new certificate', async () => (await serial()) !== first);
    expect(told.at(-1)).to.equal('taken: DNS:weir.test, DNS:next.test');
    const second = await serial();

    told.length = 0;
    await copyFile(own.key, join(directory, 'tls.key'));
    await eventually('the refusal', () => told.length > 0);
    await writeFile(join(directory, 'tls.crt'), 'no certificate');
    await eventually('the next refusal', () => told.length > 1);
    await rm(join(directory, 'tls.crt'));
    await eventually('one more', () => told.length > 2);
    expect(told).to.deep.equal([
      'KEY: the key in DIR/tls.key is not that of DIR/tls.crt',
      'CERT: there is no certificate in PEM form in DIR/tls.crt',
      'CERT: DIR/tls.crt cannot be read: ENOENT',
    ]);
    expect(await serial()).to.equal(second);
    expect(await ask(clientWith(null))).to.equal('OK');

    told.length = 0;
    await put(await authority.sign('DNS:weir.test', { days: -1 }));
    await eventually('the expired one to be refused', () => told.some((line) => /has expired$/.test(line)));
    expect(await serial()).to.equal(second);
    await put(own);
    await eventually('the first certificate', async () => (await serial()) === first);
  });

  it('takes a certificate when its time has come, and not before', async () => {
    let nowMs = Date.now() - 86_400_000;
    await start({ rescanMs: 10, nowMs: () => nowMs });
    const first = await serial();
    await put(await authority.sign('DNS:weir.test,DNS:next.test'));
    await eventually('the refusal', () => told.some((line) => /^CERT: .*DIR.tls.crt is valid only from /.test(line)));
    expect(await serial()).to.equal(first);
    nowMs = Date.now() + 60_000;
    await eventually('the new certificate', async () => (await serial()) !== first);
    expect(told.at(-1)).to.equal('taken: DNS:weir.test, DNS:next.test');
  });

  it('tells again of files that went away a second time', async () => {
    await start({ rescanMs: 10 });
    let there = true;
    await eventually('a second refusal', async () => {
      await (there ? rm(join(directory, 'tls.key')) : put(own));
      there = !there;
      return told.filter((line) => line === 'KEY: DIR/tls.key cannot be read: ENOENT').length > 1;
    });
    expect(told.filter((line) => line.startsWith('taken'))).to.deep.equal([]);
  });

  it('sees a swap of ..data without an event of the file system, too', async () => {
    const generation = async (name: string, { cert, key }: Signed) => {
      await mkdir(join(directory, name));
      await copyFile(cert, join(directory, name, 'tls.crt'));
      await copyFile(key, join(directory, name, 'tls.key'));
      await symlink(name, join(directory, '..next'));
      await rename(join(directory, '..next'), join(directory, '..data'));
    };
    // The watch is on a place where nothing happens: the files are reached by a link from there.
    await start({ rescanMs: 10, gatherMs: 60_000 });
    const first = await serial();
    await generation('..1', own);
    for (const name of ['tls.crt', 'tls.key']) {
      await rm(join(directory, name));
      await symlink(join('..data', name), join(directory, name));
    }
    told.length = 0;
    await generation('..2', await authority.sign('DNS:weir.test'));
    await eventually('the new certificate', async () => (await serial()) !== first);
    expect(told).to.deep.equal(['taken: DNS:weir.test']);
  });

  it('looks at clients by a new authority from then on; a connection that is there goes on', async () => {
    const [ours, theirs] = [await authority.sign('DNS:client.test'), await stranger.sign('DNS:client.test')];
    await start({ clientCa: authority.ca });
    const old = clientWith(ours);
    expect(await ask(old)).to.equal('OK');
    await put(own, stranger.ca);
    await eventually('the new authority', async () => (await ask(clientWith(theirs))) === 'OK');
    expect(await ask(clientWith(ours))).to.equal('UNAVAILABLE');
    expect(await ask(old)).to.equal('OK');
  });

  it('resumes no session: every connection shows its certificate', async () => {
    const { cert, key } = await authority.sign('DNS:client.test');
    await start({ clientCa: authority.ca });
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2']) {
      const options = { ALPNProtocols: ['h2'], cert: readFileSync(cert), key: readFileSync(key), maxVersion };
      const first = dial(options);
      let session: Buffer | undefined;
      first.on('session', (made: Buffer) => {
        session = made;
      });
      first.write(PREFACE);
      await once(first, 'data');
      const second = dial({ ...options, session: session ?? first.getSession() });
      second.write(PREFACE);
      await once(second, 'data');
      expect(second.isSessionReused(), maxVersion).to.equal(false);
    }
  });

  it('fails no call of 8 callers, new connections among them, while the certificate changes 10 times', async () => {
    await start({ gatherMs: 1 });
    const answers: string[] = [];
    let over = false;
    const callers = Array.from({ length: 8 }, async (_, i) => {
      const kept = clientWith(null);
      while (!over) {
        const client = i % 2 === 0 ? kept : clientWith(null);
        answers.push(await ask(client));
        if (client !== kept) client.close();
      }
    });
    const pairs = [await authority.sign('DNS:weir.test'), own];
    for (let i = 0; i < 10; i++) {
      const before = await serial();
      await put(pairs[i % 2]!);
      await eventually('the new certificate', async () => (await serial()) !== before);
      const seen = answers.length;
      await eventually('more answers', () => answers.length >= seen + 8);
    }
    over = true;
    await Promise.all(callers);
    expect([...new Set(answers)]).to.deep.equal(['OK']);
    expect(refusals).to.deep.equal([]);
  });

  it('loses no call of 10 callers of grpc-js whose connections live for 300 ms', async () => {
    await start({ maxConnectionAgeMs: 300 });
    const client = clientWith(null);
    const serials = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const answers: string[] = [];
        while (answers.length < 200) answers.push(await ask(client));
        return answers;
      }),
    );
    expect([...new Set(serials.flat())]).to.deep.equal(['OK']);
  });

  it('stops though somebody is connected and silent, below TLS or in it', async () => {
    await start();
    const below: Socket = createConnection({ host: '127.0.0.1', port });
    below.on('error', () => {});
    const inside = dial({ ALPNProtocols: ['h2'] });
    inside.resume();
    await Promise.all([once(below, 'connect'), once(inside, 'secureConnect')]);
    expect(await ask(clientWith(null))).to.equal('OK');
    const closed = Promise.all([once(below, 'close'), once(inside, 'close')]);
    await server.stop();
    await closed;
  });
}
