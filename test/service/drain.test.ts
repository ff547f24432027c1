import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { WINDOW, windowStart } from '../e2e/window.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric, page, probes } from './page.ts';

const CALLS = 200;
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: 1_000 } }],
  },
};

describe('a service that is told to stop', () => {
  const opened = closers();

  it(`answers ${CALLS} calls in flight, counts each once, is unhealthy meanwhile, and ends with 0`, async function () {
    needsRedis(this);
    const redis = await ownRedis();
    opened(redis, redis.stop);
    const weir = await service({ rules: RULES, redis: redis.url, env: { REDIS_COMMAND_TIMEOUT: '25s' } });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);

    redis.freeze();
    const calls = Array.from({ length: CALLS }, () => client.check(one('d', 'user', 'ann')));
    await eventually(
      `${CALLS} calls in flight`,
      async () => (await metric(weir.httpPort, 'ratelimit_in_flight')) === CALLS,
    );
    weir.process().signal('SIGTERM');
    await eventually('it to say that it goes', async () => (await probes(weir.httpPort)).healthcheck === 500);
    expect((await page(weir.httpPort, '/livez')).status).to.equal(200);
    expect(await metric(weir.httpPort, 'ratelimit_in_flight')).to.equal(CALLS);
    redis.thaw();

    const answers = await Promise.all(calls);
    const left = answers.map(({ statuses }) => statuses[0]!.limitRemaining).sort((a, b) => b - a);
    expect(left).to.deep.equal(Array.from({ length: CALLS }, (_, i) => 999 - i));
    expect(await redis.client.get(`d_user_ann_${windowStart()}`)).to.equal(String(CALLS));
    expect(await weir.process().ended).to.deep.equal({ code: 0, signal: null });
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`ends by itself with 0 at ${signal}, though connections are idle and a health watch is open`, async () => {
      const weir = await service({ rules: RULES });
      opened(weir, weir.close);
      await openConnections(weir);
      weir.process().signal(signal);
      expect(await weir.process().ended).to.deep.equal({ code: 0, signal: null });
    });
  }

  it('ends by itself with 0 though somebody has sent half a request', async () => {
    const weir = await service({ rules: RULES });
    opened(weir, weir.close);
    const half = connect(weir.adminPort, '127.0.0.1');
    opened(half, () => half.destroy());
    half.on('error', () => {});
    await once(half, 'connect');
    half.write('GET /rul');
    weir.process().signal('SIGTERM');
    expect(await weir.process().ended).to.deep.equal({ code: 0, signal: null });
  });

  it('ends at once at the second signal, though a call still waits', async function () {
    needsRedis(this);
    const redis = await ownRedis();
    opened(redis, redis.stop);
    const weir = await service({ rules: RULES, redis: redis.url, env: { REDIS_COMMAND_TIMEOUT: '25s' } });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    redis.freeze();
    const call = client.ask(one('d', 'user', 'bob'));
    await eventually('a call in flight', async () => (await metric(weir.httpPort, 'ratelimit_in_flight')) === 1);
    weir.process().signal('SIGTERM');
    await eventually('it to say that it goes', async () => (await probes(weir.httpPort)).healthcheck === 500);
    weir.process().signal('SIGTERM');
    expect(await weir.process().ended).to.deep.equal({ code: null, signal: 'SIGTERM' });
    expect(await call).to.match(/^UNAVAILABLE: /);
  });

  it('ends with 1 and a sentence when a port is taken', async () => {
    const weir = await service({ rules: RULES });
    opened(weir, weir.close);
    const env = { GRPC_PORT: String(weir.grpcPort) };
    const failed = await service({ rules: RULES, env, until: 'open' }).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(failed).to.include('ended with code 1');
    expect(failed).to.match(/weir serve: the gRPC port cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  });

  async function openConnections(weir: Service): Promise<void> {
    const agent = new Agent({ keepAlive: true });
    opened(agent, () => agent.destroy());
    const [answer] = await once(get({ host: '127.0.0.1', port: weir.httpPort, path: '/livez', agent }), 'response');
    await once(answer.resume(), 'end');
    const { requestSerialize, responseDeserialize, path } = serviceNamed('grpc.health.v1.Health').Watch!;
    const client = new Client(`127.0.0.1:${weir.grpcPort}`, credentials.createInsecure());
    opened(client, () => client.close());
    const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
    watch.on('error', () => {});
    const [told] = await once(watch, 'data');
    expect(told).to.deep.include({ status: 'SERVING' });
  }
});
