import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import { CallError, rlsClient } from '../../src/grpc/client.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { eventually } from '../support/eventually.ts';
import { type Folder, FREE_PORTS, folder, type Serving, serving, weir } from './weir.ts';

const RULES = 'domain: shop\ndescriptors:\n  - { key: user, rate_limit: { unit: year, requests_per_unit: 2 } }\n';
const BROKEN = 'domain: shop\ndescriptors:\n  - { key: user, rate_limit: { unit: years } }\n';
const QUESTION = ['--domain', 'shop', '--descriptor', 'user=ann'];

describe('weir serve', function () {
  this.timeout(30_000);
  let rules: Folder;
  let path: string;
  beforeEach(async () => {
    rules = await folder();
    path = await rules.write('shop.yaml', RULES);
  });
  afterEach(() => rules.remove());

  describe('that cannot start', () => {
    it('exits 2 for wrong settings and lists all of them', () => {
      const { code, stdout, stderr } = weir(['serve', '--port=x', '--nope'], {
        DRAIN_DELAY: 'soon',
        SHADOW_MODE: 'on',
      });
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr.trimEnd().split('\n')).to.have.members([
        'weir serve: --nope: there is no such flag; weir --help lists them',
        'weir serve: --port: expected a whole number from 0 to 65535',
        'weir serve: DRAIN_DELAY: expected a duration such as 150us, 10s or 1h30m, at most 250h',
        'weir serve: SHADOW_MODE: expected true or false',
      ]);
    });

    it('exits 2 with a sentence when the settings of Redis do not fit together', () => {
      const env = { REDIS_URL: 'redis://ann:hunter2@127.0.0.1:6379', REDIS_SOCKET_TYPE: 'unix' };
      const { code, stderr } = weir(['serve'], env);
      expect(code).to.equal(2);
      expect(stderr).to.match(
        /^weir serve: the Redis URL .*127\.0\.0\.1:6379 is a TCP address, but the socket type is unix\n$/,
      );
      expect(stderr).to.not.include('hunter2');
    });

    describe('because a port is taken', () => {
      let other: Server;
      before(async () => {
        other = createServer().listen(0, '127.0.0.1');
        await once(other, 'listening');
      });
      after(() => other.close());

      for (const name of ['PORT', 'GRPC_PORT', 'DEBUG_PORT']) {
        it(`exits 1 with a sentence that names it: ${name}`, () => {
          const { port } = other.address() as { port: number };
          const env = { ...FREE_PORTS, [name]: String(port), LOG_LEVEL: 'error' };
          const { code, stderr } = weir(['serve', '--rules', path], env);
          expect(code).to.equal(1);
          expect(stderr).to.match(/^weir serve: [^\n]*\n$/);
          expect(stderr).to.include(String(port)).and.to.include('EADDRINUSE');
        });
      }
    });
  });

  describe('that runs', () => {
    let running: Serving;
    afterEach(() => running?.process.stop());

    it('answers weir client: 0 for OK, 1 for OVER_LIMIT, 2 for no answer and for no question', async () => {
      running = await serving(['--rules', path]);
      const ask = (...more: readonly string[]) => weir(['client', '--address', running.grpc, ...QUESTION, ...more]);
      expect(ask()).to.deep.include({ code: 0, stderr: '' });
      expect(ask().stdout).to.match(/^OK\n {2}descriptor 1: OK, limit 2 per year, 0 remaining, resets in \d+ s\n$/);
      expect(ask()).to.include({ code: 1 });
      expect(ask('--hits', '-1')).to.include({ code: 2 });
      await running.process.stop();
      expect(ask()).to.deep.include({ code: 2, stdout: '' });
    });

    it('says where it serves, which rules won, where it counts, what it ignores and what to try', async () => {
      running = await serving(['--rules', path], {
        RULES: 'elsewhere.yaml',
        MEMCACHE_SRV: 'x',
        REDIS_POOL_ON_EMPTY_BEHAVIOR: 'CREATE',
      });
      const said = await eventually('the last line of the start', () => {
        const lines = running.log().map(({ msg }) => msg);
        return lines.at(-1)?.startsWith('try it') && lines.join('\n');
      });
      expect(said).to.include(`from ${path} (--rules)`);
      expect(said).to.match(/^rules: 1 limit in 1 domain, from/m);
      expect(said).to.include('without effect here: MEMCACHE_SRV: there is no memcached here');
      expect(said).to.include(` client --address ${running.grpc} --domain shop --descriptor user=something`);
      expect(said).to.match(/^try it: /m);
      const warned = running.log().find(({ msg }) => msg.startsWith('REDIS_POOL_ON_EMPTY_BEHAVIOR: CREATE and ERROR'));
      expect(warned?.level).to.be.oneOf(['warn', 40]);
      const counting = running.log().find(({ msg }) => msg.startsWith('counting in memory'));
      expect(counting?.level).to.be.oneOf(['warn', 40]);
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      it(`exits 0 on ${signal}`, async () => {
        running = await serving(['--rules', path]);
        running.process.signal(signal);
        expect(await running.process.ended).to.deep.equal({ code: 0, signal: null });
        expect(running.log().some(({ msg }) => msg === `${signal}: draining`)).to.equal(true);
      });
    }

    it('exits 0 on SIGTERM without Redis, when DRAIN_TIMEOUT has passed for a connection that stays silent', async () => {
      running = await serving(['--rules', path], { REDIS_URL: '127.0.0.1:1', DRAIN_TIMEOUT: '100ms' });
      const silent = connect(Number(running.grpc.split(':')[1]), '127.0.0.1');
      await once(silent, 'connect');
      silent.on('error', () => {});
      running.process.signal('SIGTERM');
      expect(await running.process.ended).to.deep.equal({ code: 0, signal: null });
    });

    it('ends at once on a second signal, though another one', async () => {
      running = await serving(['--rules', path], { DRAIN_DELAY: '1h' });
      running.process.signal('SIGTERM');
      await eventually('draining', () => running.log().some(({ msg }) => msg === 'SIGTERM: draining'));
      running.process.signal('SIGINT');
      expect(await running.process.ended).to.deep.equal({ code: null, signal: 'SIGINT' });
    });

    it('stays up with bad rules, says so at every door, and serves when they are mended', async () => {
      await rules.write('shop.yaml', BROKEN);
      running = await serving(['--rules', rules.path]);
      expect(await status('/readyz')).to.equal(503);
      expect(await status('/healthcheck')).to.equal(200);
      expect(await status('/livez')).to.equal(200);
      expect(await health('')).to.equal('NOT_SERVING');
      expect(await health('ratelimit')).to.equal('NOT_SERVING');
      expect(await answer()).to.equal('9 no rate limit configuration loaded');
      expect(running.process.output()).to.include("invalid rate limit unit 'years'");

      await rules.write('shop.yaml', RULES);
      await eventually('the mended rules', async () => (await status('/readyz')) === 200);
      await eventually(
        'SERVING',
        async () => (await health('')) === 'SERVING' && (await health('ratelimit')) === 'SERVING',
      );
      expect(await answer()).to.equal('OK');
      expect(await status('/healthcheck')).to.equal(200);
    });

    it('keeps the good rules when they are broken later', async () => {
      running = await serving(['--rules', rules.path]);
      expect(await answer()).to.equal('OK');
      await rules.write('shop.yaml', BROKEN);
      await eventually('the complaint', () => running.process.output().includes("invalid rate limit unit 'years'"));
      expect(await answer()).to.equal('OK');
      expect(await answer()).to.equal('OVER_LIMIT');
      expect(await status('/readyz')).to.equal(200);
      expect(await health('')).to.equal('SERVING');
    });

    async function status(route: string): Promise<number> {
      const { status: code, body } = await fetch(`http://${running.http}${route}`);
      await body?.cancel();
      return code;
    }

    async function answer(): Promise<string> {
      const client = rlsClient(running.grpc, { timeoutMs: 5_000 });
      try {
        const descriptors = [{ entries: [{ key: 'user', value: 'bob' }] }];
        return (await client.check({ domain: 'shop', descriptors })).overallCode;
      } catch (error) {
        if (error instanceof CallError) return `${error.code} ${error.message}`;
        throw error;
      } finally {
        client.close();
      }
    }

    async function health(service: string): Promise<string> {
      type Done = (error: ServiceError | null, reply?: { status: string }) => void;
      const Client = makeGenericClientConstructor(serviceNamed('grpc.health.v1.Health'), 'Health');
      const client = new Client(running.grpc, credentials.createInsecure());
      const check = client.Check as (request: { service: string }, done: Done) => void;
      return new Promise<string>((resolve, reject) => {
        check.call(client, { service }, (error, reply) => (error ? reject(error) : resolve(reply!.status)));
      }).finally(() => client.close());
    }
  });
});
