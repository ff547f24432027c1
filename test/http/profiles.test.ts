import { expect } from 'chai';
import type { HttpReply, HttpRequest } from '../../src/http/exchange.ts';
import { type Profiles, profiles } from '../../src/http/profiles.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import { fetchFrom } from './client.ts';
import { httpRequest } from './request.ts';

describe('profiles', () => {
  const cpu = (made: Profiles, said: Partial<HttpRequest> = {}) => Promise.resolve(made.cpu(httpRequest(said)));
  const status = async (reply: HttpReply | Promise<HttpReply>) => (await reply).status;

  /** Asks for a minute of profile; `end` hangs up. */
  function aMinute(made: Profiles, more = '') {
    let end = () => {};
    const reply = cpu(made, {
      query: `seconds=60${more}`,
      onClosed(listener) {
        end = listener;
      },
    });
    return { reply, end: () => end() };
  }

  it('are made for nobody, and say how to turn them on, while they are off', async () => {
    const off = profiles(false);
    for (const reply of [await off.cpu(httpRequest()), await off.heap(httpRequest())]) {
      expect(reply.status).to.equal(404);
      expect(reply.body).to.include('DEBUG_PROFILES=true');
    }
  });

  const NEAR = ['127.0.0.1', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'];
  const FAR = [
    '127.0.0.6',
    '::ffff:127.0.0.6',
    '10.0.0.1',
    '128.0.0.1',
    '::ffff:10.0.0.1',
    '::',
    'fe80::1',
    '127.evil',
    '1127.0.0.1',
    '127.0.0.1.5',
    '',
  ];

  for (const peer of NEAR) {
    it(`are made for ${peer}`, async () => {
      expect(await status(cpu(profiles(true), { peer, query: 'seconds=0' }))).to.equal(400);
    });
  }
  for (const peer of FAR) {
    it(`are refused to ${peer || 'a peer without an address'}`, async () => {
      const made = profiles(true);
      expect(await status(cpu(made, { peer, query: 'seconds=1' }))).to.equal(403);
      expect(await status(made.heap(httpRequest({ peer })))).to.equal(403);
    });
  }

  for (const headers of [
    { host: 'localhost', 'x-forwarded-for': '10.0.0.1' },
    { host: 'localhost', forwarded: 'for=10.0.0.1' },
    { host: 'localhost', 'x-forwarded-proto': 'http' },
    { host: 'localhost', 'x-envoy-internal': 'true' },
    { host: 'localhost', via: '1.1 proxy' },
    { host: 'weir.example:6070' },
    { host: '10.0.0.7:6070' },
    {},
  ]) {
    it(`are refused to a loopback peer that sends ${JSON.stringify(headers)}`, async () => {
      expect(await status(cpu(profiles(true), { headers, query: 'seconds=1' }))).to.equal(403);
    });
  }

  for (const query of [
    'seconds=0',
    'seconds=61',
    'seconds=-1',
    'seconds=1.5',
    'seconds=',
    'seconds=9999999999',
    'seconds=x',
  ]) {
    it(`refuse ?${query}`, async () => {
      expect(await status(cpu(profiles(true), { query }))).to.equal(400);
    });
  }

  it('are asked for by GET alone', async () => {
    const made = profiles(true);
    for (const method of ['POST', 'HEAD']) {
      expect(await status(made.heap(httpRequest({ method })))).to.equal(405);
      expect(await status(cpu(made, { method }))).to.equal(405);
    }
  });

  it('are of this process, which is number 0 too; there is no other', async () => {
    const made = profiles(true);
    for (const query of ['seconds=1&worker=1', 'seconds=1&worker=x', 'seconds=1&worker=']) {
      expect(await status(cpu(made, { query })), query).to.equal(404);
    }
    const of0 = aMinute(made, '&worker=0');
    expect(await status(cpu(made, { query: 'seconds=1' }))).to.equal(409);
    of0.end();
    expect(await status(of0.reply)).to.equal(503);
  });

  it('of the CPU end when the caller hangs up: a minute is over at once, and the next may begin', async () => {
    const made = profiles(true);
    const first = aMinute(made);
    expect(await status(cpu(made, { query: 'seconds=1' }))).to.equal(409);
    expect(await status(made.heap(httpRequest()))).to.equal(409);
    first.end();
    expect(await status(first.reply)).to.equal(503);
    const second = aMinute(made);
    second.end();
    expect(await status(second.reply)).to.equal(503);
  });

  describe('over HTTP', () => {
    let server: HttpServer;
    before(async () => {
      const made = profiles(true);
      server = httpServer({
        name: 'admin',
        host: '127.0.0.1',
        port: 0,
        routes: { '/profile': made.cpu },
      });
      await server.start();
    });
    after(() => server.stop());

    it('of 1 second are a .cpuprofile with nodes and samples', async () => {
      const { status, headers, text } = await fetchFrom(server, '/profile?seconds=1');
      expect(status).to.equal(200);
      expect(headers['content-disposition']).to.match(/^attachment; filename="weir-\d+\.cpuprofile"$/);
      const profile = JSON.parse(text);
      expect(profile.endTime - profile.startTime).to.be.greaterThan(900_000);
      expect(profile.nodes).to.be.an('array').that.is.not.empty;
      expect(profile.samples).to.be.an('array').that.is.not.empty;
    });
  });
});
