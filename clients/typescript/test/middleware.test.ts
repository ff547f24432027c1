import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import express, { type Request } from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { rateLimit as expressLimit } from '../src/express.ts';
import { rateLimit as fastifyLimit } from '../src/fastify.ts';
import { type ConnectOptions, connect, type FailurePolicy, type Weir } from '../src/weir.ts';
import { type Fake, fake } from './fake.ts';
import { eventually, freePort, type Service, service } from './service.ts';

const PATIENT: ConnectOptions = { timeoutMs: 20_000, onFailure: 'raise' };
const DOMAIN = 'shop';

interface App {
  readonly url: string;
  close(): Promise<void>;
}
type Start = (weir: Weir, onFailure?: FailurePolicy) => Promise<App>;

async function expressApp(weir: Weir, onFailure?: FailurePolicy): Promise<App> {
  const app = express();
  app.use(
    expressLimit<Request>(weir, {
      domain: DOMAIN,
      descriptors: (request) => (request.path === '/free' ? [] : [{ user: request.get('x-user') ?? 'nobody' }]),
      ...(onFailure === undefined ? {} : { onFailure }),
    }),
  );
  app.get('/{*path}', (_request, response) => void response.send('hello'));
  app.use((error: Error, _request: Request, response: express.Response, _next: express.NextFunction) => {
    response.status(500).send(error.name);
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function fastifyApp(weir: Weir, onFailure?: FailurePolicy): Promise<App> {
  const app = fastify({ forceCloseConnections: true });
  app.addHook(
    'onRequest',
    fastifyLimit<FastifyRequest>(weir, {
      domain: DOMAIN,
      descriptors: (request) => (request.url === '/free' ? [] : [{ user: String(request.headers['x-user']) }]),
      ...(onFailure === undefined ? {} : { onFailure }),
    }),
  );
  app.setErrorHandler((error: Error, _request, reply) => reply.code(500).send(error.name));
  app.get('/*', async () => 'hello');
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() };
}

const STARTS: readonly (readonly [string, Start])[] = [
  ['Express', expressApp],
  ['Fastify', fastifyApp],
];

for (const [name, start] of STARTS) {
  describe(`the middleware for ${name}`, () => {
    let shop: Service;
    let weir: Weir;
    let nobody: Weir;
    let app: App;
    before(async () => {
      shop = await service();
      weir = connect(shop.address, PATIENT);
      nobody = connect(`127.0.0.1:${await freePort()}`, PATIENT);
      await weir.ready(20_000);
      app = await start(weir);
    });
    after(async () => {
      await app.close();
      weir.close();
      nobody.close();
      await shop.stop();
    });

    it('lets 3 requests pass with headers, and answers the 4th with 429', async () => {
      const ask = () => fetch(`${app.url}/`, { headers: { 'x-user': 'ann' } });
      for (let i = 0; i < 3; i++) {
        const passed = await ask();
        assert.equal(await passed.text(), 'hello');
        assert.equal(passed.headers.get('ratelimit-remaining'), String(2 - i));
        assert.equal(passed.headers.get('ratelimit-policy'), '"per-user";q=3;w=31536000');
        assert.equal(passed.headers.get('retry-after'), null);
      }
      const refused = await ask();
      assert.equal(refused.status, 429);
      const seconds = Number(refused.headers.get('retry-after'));
      assert.ok(seconds >= 1 && seconds <= 31_536_000);
      assert.equal(refused.headers.get('ratelimit'), `"per-user";r=0;t=${seconds}`);
      assert.match(refused.headers.get('content-type') ?? '', /^application\/json/);
      assert.deepEqual(await refused.json(), {
        error: 'rate_limited',
        message: `Too many requests. Try again in ${seconds} seconds.`,
        limit: 3,
        window_seconds: 31_536_000,
        remaining: 0,
        retry_after_seconds: seconds,
      });
    });

    it('lets a request without descriptors pass without headers', async () => {
      const passed = await fetch(`${app.url}/free`);
      assert.deepEqual([passed.status, passed.headers.get('ratelimit')], [200, null]);
    });

    it('answers 200, 503 or the error of the application when nobody can be asked', async () => {
      const answers = [];
      for (const policy of ['allow', 'deny', 'raise'] as const) {
        const without = await start(nobody, policy);
        const answer = await fetch(`${without.url}/`);
        answers.push([answer.status, answer.headers.get('retry-after'), (await answer.text()).slice(0, 34)]);
        await without.close();
      }
      assert.deepEqual(answers, [
        [200, null, 'hello'],
        [503, '1', '{"error":"rate_limit_unavailable",'],
        [500, null, 'UnavailableError'],
      ]);
    });

    it('cancels the check of a caller who hangs up', async () => {
      const slow: Fake = await fake();
      slow.answer = 'silence';
      const waiting = connect(slow.address, { timeoutMs: 60_000 });
      const behind = await start(waiting);
      try {
        const caller = request(`${behind.url}/`).on('error', () => {});
        caller.end();
        await eventually('the service to be asked', () => slow.asked.length === 1);
        caller.destroy();
        await eventually('the check to be cancelled', () => slow.gone === 1);
      } finally {
        await behind.close();
        waiting.close();
        slow.close();
      }
    });
  });
}
