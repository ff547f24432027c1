import { expect } from 'chai';
import { type Health, type HealthOptions, type HealthSources, health } from '../../src/http/health.ts';
import type { RulesState } from '../../src/http/rules-history.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import { eventually } from '../support/eventually.ts';
import { fetchFrom } from './client.ts';

interface World {
  rules: RulesState;
  domains: number;
  answered: boolean;
  reachable: boolean | Promise<boolean>;
  draining: boolean;
  asked: number;
}

/** All is well, unless a test says otherwise. */
function world(part: Partial<World> = {}): { is: World; sources: HealthSources } {
  const is: World = {
    rules: 'loaded',
    domains: 1,
    answered: true,
    reachable: true,
    draining: false,
    asked: 0,
    ...part,
  };
  const sources: HealthSources = {
    rules: () => is.rules,
    domainCount: () => is.domains,
    storeEverAnswered: () => is.answered,
    storeReachableNow: async () => {
      is.asked++;
      return is.reachable;
    },
    draining: () => is.draining,
  };
  return { is, sources };
}

const opinion = (part: Partial<World>, options?: HealthOptions) => health(world(part).sources, options).healthy();

describe('health', () => {
  it('is unhealthy until rules were heard of and the store has answered once', async () => {
    const { is, sources } = world({ rules: 'waiting', answered: false });
    const it = health(sources);
    expect(await it.healthy()).to.equal(false);
    is.rules = 'loaded';
    expect(await it.healthy()).to.equal(false);
    is.answered = true;
    expect(await it.healthy()).to.equal(true);
  });

  it('is healthy with rules that were refused, and ready only with rules that are live', async () => {
    const it = health(world({ rules: 'refused' }).sources);
    expect(await it.healthy()).to.equal(true);
    expect(await it.readiness()).to.deep.equal({ ready: false, rules: 'refused', store: 'reachable', draining: false });
  });

  it('does not wait for rules when told to start without', async () => {
    expect(await opinion({ rules: 'waiting' }, { forceStart: true })).to.equal(true);
    expect(await opinion({ rules: 'waiting', answered: false }, { forceStart: true })).to.equal(false);
  });

  it('is unhealthy with a set of no domains only where one is asked for', async () => {
    expect(await opinion({ domains: 0 })).to.equal(true);
    expect(await opinion({ domains: 0 }, { needsDomain: true })).to.equal(false);
    expect(await opinion({ domains: 1 }, { needsDomain: true })).to.equal(true);
  });

  it('does not ask a store that answered once, and stays healthy without it', async () => {
    const { is, sources } = world({ reachable: false });
    expect(await health(sources).healthy()).to.equal(true);
    expect(is.asked).to.equal(0);
  });

  it('follows the store with activeConnection', async () => {
    const { is, sources } = world({ reachable: false });
    const it = health(sources, { activeConnection: true });
    expect(await it.healthy()).to.equal(false);
    is.reachable = true;
    expect(await it.healthy()).to.equal(true);
  });

  it('is neither healthy nor ready while it drains', async () => {
    const it = health(world({ draining: true }).sources);
    expect(await it.healthy()).to.equal(false);
    expect(await it.readiness()).to.include({ ready: false, draining: true });
  });

  it('takes a store that never answers, or fails, for unreachable', async () => {
    const silent = health(world({ reachable: new Promise(() => undefined) }).sources, { storeTimeoutMs: 5 });
    expect(await silent.readiness()).to.include({ ready: false, store: 'unreachable' });
    const failing = health({
      ...world().sources,
      storeReachableNow: async () => {
        throw new Error('down');
      },
    });
    expect(await failing.readiness()).to.include({ ready: false, store: 'unreachable' });
  });

  it('asks the store once for 100 probes at the same time', async () => {
    const { is, sources } = world();
    const it = health(sources);
    await Promise.all(Array.from({ length: 100 }, () => it.readiness()));
    expect(is.asked).to.equal(1);
    await it.readiness();
    expect(is.asked).to.equal(2);
  });

  it('tells a listener each change once', async () => {
    const { is, sources } = world({ answered: false });
    const it = health(sources);
    const told: boolean[] = [];
    it.listen((healthy) => told.push(healthy));
    await it.refresh();
    await it.refresh();
    is.answered = true;
    await it.healthy();
    is.draining = true;
    await it.refresh();
    expect(told).to.deep.equal([false, true, false]);
  });

  it('tells a listener that the store has answered before a probe of readiness is told so', async () => {
    const { is, sources } = world({ answered: false });
    const it = health(sources);
    const heard: boolean[] = [];
    it.listen((healthy) => heard.push(healthy));
    await it.refresh();
    is.answered = true;
    expect((await it.readiness()).ready).to.equal(true);
    expect(heard).to.deep.equal([false, true]);
  });

  it('finds changes by itself from start to stop', async () => {
    const { is, sources } = world({ answered: false });
    const it = health(sources, { refreshEveryMs: 1 });
    const told: boolean[] = [];
    it.listen((healthy) => told.push(healthy));
    await it.start();
    expect(told).to.deep.equal([false]);
    is.answered = true;
    await eventually('the change', () => told.length === 2);
    await it.stop();
    await it.stop();
  });

  describe('over HTTP', () => {
    let server: HttpServer;
    let is: World;
    let opinion_: Health;

    beforeEach(async () => {
      const made = world();
      is = made.is;
      opinion_ = health(made.sources);
      server = httpServer({ name: 'http', host: '127.0.0.1', port: 0, routes: opinion_.routes });
      await server.start();
    });
    afterEach(() => server.stop());

    it('answers /healthcheck with 200 and OK, whatever the method and query', async () => {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
        const { status, text, headers } = await fetchFrom(server, '/healthcheck?x=1', { method });
        expect([status, text, headers['content-type']]).to.deep.equal([200, 'OK', 'text/plain; charset=utf-8']);
      }
      const head = await fetchFrom(server, '/healthcheck', { method: 'HEAD' });
      expect([head.status, head.text, head.headers['content-type']]).to.deep.equal([
        200,
        '',
        'text/plain; charset=utf-8',
      ]);
      expect((await fetchFrom(server, '/healthcheck/')).status).to.equal(404);
    });

    it('answers /healthcheck with an empty 500 of no content type when unhealthy', async () => {
      is.draining = true;
      const { status, text, headers } = await fetchFrom(server, '/healthcheck');
      expect([status, text, headers['content-type']]).to.deep.equal([500, '', undefined]);
    });

    it('answers /livez with 200 whatever else is wrong', async () => {
      Object.assign(is, { rules: 'waiting', answered: false, reachable: false, draining: true });
      expect((await fetchFrom(server, '/livez')).status).to.equal(200);
    });

    it('answers /readyz with 200, or with 503 and which part is not', async () => {
      const ready = await fetchFrom(server, '/readyz');
      expect([ready.status, JSON.parse(ready.text).ready]).to.deep.equal([200, true]);
      is.reachable = false;
      const not = await fetchFrom(server, '/readyz');
      expect(not.status).to.equal(503);
      expect(JSON.parse(not.text)).to.deep.equal({
        ready: false,
        rules: 'loaded',
        store: 'unreachable',
        draining: false,
      });
    });
  });
});
