import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Client, type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { Listener } from '../../src/wire/server.ts';
import { type Certificates, certificates, type Signed } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { ownTls } from '../support/own-tls.ts';
import { type Bed, bed, ECHO } from './bed.ts';

/** However it comes about. */
function closeOf(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

describe('listeners of wire', () => {
  let directory: string;
  let authority: Certificates;
  let signed: Signed;
  let ca: Buffer;
  let server: Bed | undefined;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'weir-wire-'));
    authority = await certificates();
    ca = readFileSync(authority.ca);
    signed = await authority.sign('IP:127.0.0.1');
  });

  after(async () => {
    await authority.remove();
    await rm(directory, { recursive: true, force: true });
  });

  afterEach(async () => {
    await server?.end();
    server = undefined;
  });

  async function listen(...listeners: readonly Listener[]): Promise<(AddressInfo | string)[]> {
    server = await bed({ listeners });
    return [...server.server.addresses()];
  }

  async function echo(
    target: string,
    security = credentials.createInsecure(),
    options: ClientOptions = {},
  ): Promise<string> {
    const client = new Client(target, security, options);
    const asIs = (bytes: Buffer) => bytes;
    try {
      return await new Promise((resolve) => {
        const deadline = { deadline: Date.now() + 10_000 };
        client.makeUnaryRequest(ECHO, asIs, asIs, Buffer.from('hi'), new Metadata(), deadline, (error, reply) =>
          resolve(error === null ? String(reply) : `error ${error.code}`),
        );
      });
    } finally {
      client.close();
    }
  }

  const at = (address: AddressInfo | string | undefined): string => `127.0.0.1:${(address as AddressInfo).port}`;

  it('serves two TCP ports, one of them with TLS, and a unix socket at once, and removes the socket', async () => {
    const socket = path.join(directory, 'weir.sock');
    const [plain, secure, unix] = await listen(
      { host: '127.0.0.1' },
      { host: '127.0.0.1', tls: ownTls(signed) },
      { path: socket },
    );
    expect(unix).to.equal(socket);
    expect(await echo(at(plain))).to.equal('hi');
    expect(await echo(at(secure), credentials.createSsl(ca))).to.equal('hi');
    expect(await echo(`unix:${socket}`)).to.equal('hi');
    await server!.end();
    server = undefined;
    expect(existsSync(socket)).to.equal(false);
  });

  it('takes only clients with a certificate of the authority where it asks for one', async () => {
    const tls = ownTls(signed, { clientCa: authority.ca });
    const [secure] = await listen({ host: '127.0.0.1', tls });
    const [key, cert] = [readFileSync(signed.key), readFileSync(signed.cert)];
    expect(await echo(at(secure), credentials.createSsl(ca, key, cert))).to.equal('hi');
    expect(tls.refusals).to.deep.equal([]);
    expect(await echo(at(secure), credentials.createSsl(ca))).to.equal('error 14');
    expect([...new Set(tls.refusals)]).to.deep.equal(['no_certificate']);
  });

  it('shows a new certificate to new connections, and keeps the old ones', async () => {
    const tls = ownTls(signed);
    const [secure] = await listen({ host: '127.0.0.1', tls });
    const { port } = secure as AddressInfo;
    const serial = async () => {
      const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] });
      await once(socket, 'secureConnect');
      const { serialNumber } = socket.getPeerCertificate();
      return { socket, serialNumber };
    };
    const before = await serial();
    tls.replace(await authority.sign('IP:127.0.0.1'));
    const after = await serial();
    expect(after.serialNumber).to.not.equal(before.serialNumber);
    expect(before.socket.destroyed).to.equal(false);
    for (const { socket } of [before, after]) socket.destroy();
  });

  it('refuses TLS clients that do not ask for h2 by ALPN', async () => {
    const tls = ownTls(signed);
    const [secure] = await listen({ host: '127.0.0.1', tls });
    const options: ConnectionOptions = { port: (secure as AddressInfo).port, host: '127.0.0.1', ca };
    for (const protocols of [[], ['http/1.1']]) {
      const socket = connectTls({ ...options, ALPNProtocols: protocols });
      await closeOf(socket);
    }
    expect(tls.refusals).to.deep.equal(['no_http2', 'no_http2']);
    await eventually('none to be left', () => server!.server.connections === 0);
  });

  it('closes a TLS connection whose handshake does not come within 100 ms', async () => {
    server = await bed({
      listeners: [{ host: '127.0.0.1', tls: ownTls(signed) }],
      bounds: { handshakeTimeoutMs: 100 },
    });
    await closeOf(connect(server.port, '127.0.0.1'));
  });

  /** A connection that has said nothing, and that the server knows: it has accepted another one behind it. */
  async function silent(address: AddressInfo | string | undefined): Promise<Socket> {
    const socket = connect((address as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    expect(await echo(at(address), credentials.createSsl(ca))).to.equal('hi');
    return socket;
  }

  it('stops though a TLS handshake is open', async () => {
    const [secure] = await listen({ host: '127.0.0.1', tls: ownTls(signed) });
    const closed = closeOf(await silent(secure));
    await server!.server.stop(60_000);
    await closed;
  });

  it('answers the first call behind a TLS handshake that was open when it was to stop', async () => {
    const [secure] = await listen({ host: '127.0.0.1', tls: ownTls(signed) });
    const socket = await silent(secure);
    const stopped = server!.server.stop(60_000);
    const session = connectHttp2(`https://${at(secure)}`, {
      createConnection: () => connectTls({ socket, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] }),
    });
    const stream = session.request({
      ...{ ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc', te: 'trailers' },
    });
    stream.resume().end(Buffer.from([0, 0, 0, 0, 2, 0x68, 0x69]));
    const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>];
    expect(trailers['grpc-status']).to.equal('0');
    await stopped;
  });

  it('closes the 3rd connection of 2 unanswered', async () => {
    server = await bed({ maxConnections: 2 });
    const one = await server.peer();
    const two = await server.peer();
    const three = await server.peer();
    await three.farewell();
    expect([one.closed(), two.closed()]).to.deep.equal([false, false]);
    expect(server.failures).to.deep.equal(['too many connections']);
  });

  it('closes the 3rd connection of 2 before its TLS handshake', async () => {
    const tls = ownTls(signed);
    server = await bed({ listeners: [{ host: '127.0.0.1', tls }], maxConnections: 2 });
    const [one, two] = [connect(server.port, '127.0.0.1'), connect(server.port, '127.0.0.1')];
    await Promise.all([once(one, 'connect'), once(two, 'connect')]);
    await closeOf(connectTls({ port: server.port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] }));
    expect(server.failures).to.deep.equal(['too many connections']);
    expect([one.destroyed, two.destroyed, ...tls.refusals]).to.deep.equal([false, false]);
    for (const socket of [one, two]) socket.destroy();
  });

  it('answers node:http2, and 1,000 calls at once over TLS', async () => {
    const [secure] = await listen({ host: '127.0.0.1', tls: ownTls(signed) });
    const session = connectHttp2(`https://${at(secure)}`, { ca });
    const answers = Array.from({ length: 1_000 }, async (_, i) => {
      const stream = session.request({
        ...{ ':method': 'POST', ':path': ECHO, 'content-type': 'application/grpc', te: 'trailers' },
      });
      const text = Buffer.from(String(i));
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.end(Buffer.concat([Buffer.of(0, 0, 0, 0, text.length), text]));
      await once(stream, 'end');
      return Buffer.concat(pieces).subarray(5).toString();
    });
    expect(await Promise.all(answers)).to.deep.equal(Array.from({ length: 1_000 }, (_, i) => String(i)));
    session.close();
    await once(session, 'close');
  });
});
