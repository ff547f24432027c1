import { expect } from 'chai';
import { WINDOW } from '../e2e/window.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { type Caller, caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric, page, probes } from './page.ts';

const RULES = {
  'd.yaml': { domain: 'd', descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: 2 } }] },
};
// So long that a call which waits for Redis, and does not fail at once, ends the test by its own deadline.
const env = { REDIS_COMMAND_TIMEOUT: '60s', REDIS_TIMEOUT: '60s' };

describe('a service whose Redis is not there at the start', () => {
  const opened = closers();
  let redis: OwnRedis;
  let weir: Service;
  let client: Caller;

  before(async function () {
    needsRedis(this);
    redis = await ownRedis();
    opened(redis, redis.stop);
    await redis.kill();
    weir = await service({ rules: RULES, redis: redis.url, env, until: 'open' });
    opened(weir, weir.close);
    client = caller(weir.grpcPort);
    opened(client, client.close);
  });

  it('opens its ports, lives, and is neither healthy nor ready', async () => {
    expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 500, readyz: 503 });
    expect((await page(weir.adminPort, '/rlconfig')).body).to.include('d.user: ');
    expect(JSON.parse((await page(weir.httpPort, '/readyz')).body)).to.deep.equal({
      ready: false,
      rules: 'loaded',
      store: 'unreachable',
      draining: false,
    });
  });

  it('is NOT_SERVING by both of its names', async () => {
    expect([await client.health(''), await client.health('ratelimit')]).to.deep.equal(['NOT_SERVING', 'NOT_SERVING']);
  });

  it('fails 20 calls with UNAVAILABLE at once, and shows neither key nor address', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.ask(one('d', 'user', 'ann'))));
    expect(new Set(answers)).to.deep.equal(new Set(['UNAVAILABLE: Redis is not reachable']));
  });

  it('answers 400 without a reason on /json', async () => {
    const answer = await fetch(`http://127.0.0.1:${weir.httpPort}/json`, {
      method: 'POST',
      body: JSON.stringify(one('d', 'user', 'ann')),
    });
    expect([answer.status, await answer.text()]).to.deep.equal([400, 'Bad Request\n']);
  });

  it('decides what needs no counter', async () => {
    expect(await client.ask(one('d', 'nobody', 'x'))).to.equal('OK');
    expect(await client.ask(one('elsewhere', 'user', 'x'))).to.equal('OK');
  });

  it('is healthy, ready, SERVING and exact soon after Redis came', async () => {
    await redis.restart();
    await eventually('SERVING', async () => (await client.health('')) === 'SERVING');
    expect(await client.health('ratelimit')).to.equal('SERVING');
    await eventually('all probes', async () => (await probes(weir.httpPort)).readyz === 200);
    expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 200, readyz: 200 });
    const answers: string[] = [];
    for (let i = 0; i < 3; i++) answers.push(await client.ask(one('d', 'user', 'ann')));
    expect(answers).to.deep.equal(['OK', 'OK', 'OVER_LIMIT']);
  });
});

for (const active of [false, true]) {
  describe(`a service that loses its Redis, REDIS_HEALTH_CHECK_ACTIVE_CONNECTION=${active}`, () => {
    const opened = closers();
    let redis: OwnRedis;
    let weir: Service;
    let client: Caller;

    before(async function () {
      needsRedis(this);
      redis = await ownRedis();
      opened(redis, redis.stop);
      const flag = { REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: String(active) };
      weir = await service({ rules: RULES, redis: redis.url, env: { ...env, ...flag } });
      opened(weir, weir.close);
      client = caller(weir.grpcPort);
      opened(client, client.close);
      await eventually('SERVING', async () => (await client.health('')) === 'SERVING');
    });

    const down = active ? 500 : 200;
    it(`lives, answers ${down} on /healthcheck, and is not ready`, async () => {
      await redis.kill();
      await eventually('/readyz to tell', async () => (await probes(weir.httpPort)).readyz === 503);
      expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: down, readyz: 503 });
    });

    const told = active ? 'NOT_SERVING' : 'SERVING';
    it(`is ${told} over gRPC`, async () => {
      await eventually(told, async () => (await client.health('')) === told);
      expect(await client.health('ratelimit')).to.equal(told);
    });

    it('fails calls with UNAVAILABLE at once, and counts them as errors', async () => {
      const errors = 'ratelimit_decisions_total{domain="d",code="error"}';
      const before = await metric(weir.httpPort, errors);
      const answers = await Promise.all(Array.from({ length: 10 }, () => client.ask(one('d', 'user', 'eve'))));
      expect(new Set(answers)).to.deep.equal(new Set(['UNAVAILABLE: Redis is not reachable']));
      expect((await metric(weir.httpPort, errors)) - before).to.equal(10);
    });

    it('is all well again with a Redis', async () => {
      await redis.restart();
      await eventually('/readyz to tell', async () => (await probes(weir.httpPort)).readyz === 200);
      expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 200, readyz: 200 });
      await eventually('SERVING', async () => (await client.health('')) === 'SERVING');
      expect(await client.ask(one('d', 'user', 'eve'))).to.equal('OK');
    });
  });
}
