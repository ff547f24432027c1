import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { type HttpHandler, textReply } from '../../src/http/exchange.ts';
import { type HttpServer, type HttpServerOptions, httpServer } from '../../src/http/server.ts';
import { eventually } from '../support/eventually.ts';
import { fetchFrom, portOf, raw } from './client.ts';

describe('http server', () => {
  const running: HttpServer[] = [];

  async function served(options: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
    const echo: HttpHandler = ({ method, path, body }) => textReply(200, `${method} ${path} ${body.length}`);
    const server = httpServer({ name: 'http', host: '127.0.0.1', port: 0, routes: { '/echo': echo }, ...options });
    running.push(server);
    await server.start();
    return server;
  }

  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop()));
  });

  it('takes a free port for port 0 and says which', async () => {
    const server = await served();
    expect(portOf(server)).to.be.greaterThan(0);
    await server.stop();
    expect(server.address()).to.equal(null);
  });

  it('answers any method on an exact path, whatever the query', async () => {
    const server = await served();
    expect((await fetchFrom(server, '/echo?x=1', { method: 'PUT', body: 'four' })).text).to.equal('PUT /echo 4');
    expect((await fetchFrom(server, '/echo', { method: 'HEAD' })).status).to.equal(200);
    for (const path of ['/', '/echo/', '/Echo', '/__proto__', '/constructor']) {
      expect((await fetchFrom(server, path)).status, path).to.equal(404);
    }
  });

  it('asks the fallback for paths that no route has', async () => {
    const server = await served({ fallback: ({ path }) => textReply(200, `list for ${path}`) });
    expect((await fetchFrom(server, '/nowhere')).text).to.equal('list for /nowhere');
  });

  it('takes a body of 100 bytes and refuses one of 101 with 413, with and without a length', async () => {
    const server = await served({ maxBodyBytes: 100 });
    expect((await fetchFrom(server, '/echo', { method: 'POST', body: 'x'.repeat(100) })).status).to.equal(200);
    expect((await fetchFrom(server, '/echo', { method: 'POST', body: 'x'.repeat(101) })).status).to.equal(413);
    const chunked = { 'transfer-encoding': 'chunked' };
    const large = await fetchFrom(server, '/echo', { method: 'POST', body: 'x'.repeat(500_000), headers: chunked });
    expect(large.status).to.equal(413);
  });

  it('answers 500 when a handler throws, and tells what it threw', async () => {
    const told: unknown[] = [];
    const thrown = new Error('defect');
    const bad = () => {
      throw thrown;
    };
    const server = await served({ routes: { '/bad': bad }, onError: (error) => told.push(error) });
    const got = await fetchFrom(server, '/bad');
    expect([got.status, got.text]).to.deep.equal([500, 'Internal Server Error\n']);
    expect(told).to.deep.equal([thrown]);
  });

  it('answers 400 to what is no HTTP and stays up', async () => {
    const server = await served();
    const got = await raw(server, 'not http at all\r\n\r\n');
    expect(got)
      .to.match(/^HTTP\/1\.1 400 Bad Request\r\n/)
      .and.match(/\r\n\r\nBad Request\n$/);
    expect((await fetchFrom(server, '/echo')).status).to.equal(200);
  });

  it('sends the answer to a request that garbage follows', async () => {
    const slow: HttpHandler = () => new Promise((done) => setImmediate(() => done(textReply(200, 'the answer'))));
    const server = await served({ routes: { '/slow': slow } });
    const got = await raw(server, 'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n{"garbage":1}');
    expect(got)
      .to.match(/^HTTP\/1\.1 200 OK\r\n/)
      .and.match(/the answer$/);
  });

  it('answers 431 to headers of 20 kB', async () => {
    const server = await served();
    expect(await raw(server, `GET /echo HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).to.match(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('answers 408 to a caller that does not finish its headers', async () => {
    const server = await served({ headersTimeoutMs: 50 });
    expect(await raw(server, 'GET /echo HTTP/1.1\r\nhost')).to.match(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  it('forgets a caller that goes away in the middle of its body', async () => {
    const told: unknown[] = [];
    let called = false;
    const server = await served({
      routes: {
        '/echo': () => {
          called = true;
          return textReply(200, '');
        },
      },
      onError: (error) => told.push(error),
    });
    const socket = connect(portOf(server), '127.0.0.1');
    socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc', () => socket.destroy());
    await new Promise((done) => socket.once('close', done));
    expect((await fetchFrom(server, '/nowhere')).status).to.equal(404);
    expect({ called, told }).to.deep.equal({ called: false, told: [] });
  });

  describe('with 3 connections at most', () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
    const dialled: Socket[] = [];
    let fates: string[] = [];

    afterEach(() => {
      for (const socket of dialled.splice(0)) socket.destroy();
      fates = [];
    });

    /** A connection that stays; `fates` tells when it was closed. */
    function dial(server: HttpServer, name: string): Socket {
      const socket = connect(portOf(server), '127.0.0.1').on('error', () => undefined);
      const told = fates;
      socket.once('close', () => told.push(name));
      dialled.push(socket);
      return socket;
    }
    async function asked(socket: Socket): Promise<void> {
      const answered = once(socket, 'data');
      socket.write(get('/echo'));
      await answered;
    }

    it('closes the one that has idled longest for the 4th, which is answered', async () => {
      const server = await served({ maxConnections: 3 });
      const [a, b, c] = [dial(server, 'a'), dial(server, 'b'), dial(server, 'c')];
      for (const socket of [a, b, c, a]) await asked(socket);
      expect((await fetchFrom(server, '/echo')).status).to.equal(200);
      await eventually('a connection to be closed', () => fates.length > 0);
      await asked(a);
      await asked(c);
      expect(fates).to.deep.equal(['b']);
    });

    it('refuses the 4th while the others wait for answers, and takes one again afterwards', async () => {
      let release = (): void => undefined;
      const released = new Promise<void>((done) => {
        release = done;
      });
      let waiting = 0;
      const wait: HttpHandler = async () => {
        waiting++;
        await released;
        return textReply(200, 'done');
      };
      const echo: HttpHandler = () => textReply(200, '');
      const server = await served({ maxConnections: 3, routes: { '/wait': wait, '/echo': echo } });
      const busy = ['a', 'b', 'c'].map((name) => dial(server, name));
      for (const socket of busy) socket.write(get('/wait'));
      await eventually('3 requests under way', () => waiting === 3);
      const refused = dial(server, 'd');
      await once(refused, 'close');
      const answers = busy.map((socket) => once(socket, 'data'));
      release();
      for (const answer of answers) expect(String(await answer)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
      expect(fates).to.deep.equal(['d']);
      expect((await fetchFrom(server, '/echo')).status).to.equal(200);
    });
  });

  it('rejects the start when the port is taken', async () => {
    const first = await served();
    const second = httpServer({ name: 'second', host: '127.0.0.1', port: portOf(first), routes: {} });
    const error = await second.start().then(
      () => null,
      (thrown) => thrown,
    );
    expect(error?.message).to.match(/^the second port cannot listen on 127\.0\.0\.1:\d+: listen EADDRINUSE/);
    await second.stop();
  });

  it('listens on all interfaces for an empty host', async () => {
    const server = await served({ host: '' });
    expect((await fetchFrom(server, '/echo')).status).to.equal(200);
  });

  it('listens on IPv6 and IPv4 for ::', async function () {
    const addresses = Object.values(networkInterfaces()).flat();
    if (!addresses.some((address) => address?.family === 'IPv6')) this.skip();
    const server = await served({ host: '::' });
    expect((await fetchFrom(server, '/echo')).status).to.equal(200);
    const socket = connect(portOf(server), '::1');
    await new Promise((done, failed) => socket.once('connect', done).once('error', failed));
    socket.destroy();
  });

  it('lets 20 answers under way finish when it stops, and takes no new connection', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((done) => {
      release = done;
    });
    let waiting = 0;
    const wait: HttpHandler = async () => {
      waiting++;
      await released;
      return textReply(200, 'done');
    };
    const server = await served({ routes: { '/wait': wait } });
    const answers = Array.from({ length: 20 }, () => fetchFrom(server, '/wait'));
    await eventually('20 requests under way', () => waiting === 20);
    const port = portOf(server);
    const stopped = server.stop();
    expect(server.stop()).to.equal(stopped);
    const refused = await new Promise((done) => connect(port, '127.0.0.1').once('error', done).once('connect', done));
    expect(refused).to.have.property('code', 'ECONNREFUSED');
    release();
    expect((await Promise.all(answers)).map(({ text }) => text)).to.deep.equal(Array(20).fill('done'));
    await stopped;
  });

  it('cuts an answer that never comes after the stop timeout', async () => {
    let asked = false;
    const never: HttpHandler = () => {
      asked = true;
      return new Promise(() => undefined);
    };
    const server = await served({ routes: { '/never': never }, stopTimeoutMs: 30 });
    const answer = fetchFrom(server, '/never').then(
      () => 'answered',
      (error) => error.code,
    );
    await eventually('the request', () => asked);
    await server.stop();
    expect(await answer).to.equal('ECONNRESET');
  });

  it('does not wait for idle keep-alive connections when it stops', async () => {
    const server = await served({ stopTimeoutMs: 60_000 });
    const socket = connect(portOf(server), '127.0.0.1');
    socket.write('GET /echo HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((done) => socket.once('data', done));
    await server.stop();
  });

  it('does not wait for a connection that never said a word when it stops', async () => {
    const server = await served({ stopTimeoutMs: 60_000 });
    const silent = connect(portOf(server), '127.0.0.1').resume();
    const closed = new Promise((done) => silent.once('close', done));
    // An answer on a later connection shows that the silent one was accepted.
    expect((await fetchFrom(server, '/echo')).status).to.equal(200);
    await server.stop();
    await closed;
  });

  it('stops without having started', async () => {
    await httpServer({ name: 'never', host: '127.0.0.1', port: 0, routes: {} }).stop();
  });
});
