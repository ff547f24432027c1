import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { serviceNamed } from '../../src/grpc/protos.ts';
import { load } from '../bench/load.ts';
import { one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { call, GREETING } from '../wire/peer.ts';
import { megabytes, results } from './results.ts';

const CALLS = Number(process.env.SOAK_CALLS || 10_000_000);
const CONNECTIONS = 10_000;
const DIALS_AT_ONCE = 100;
const PARTS = 5;
const MEGABYTE = 1_000_000;
const HOUR_MS = 3_600_000;
const LONG_MS = 120_000;
const CHECK = '/grpc.health.v1.Health/Check';
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'k', rate_limit: { unit: 'year', requests_per_unit: 4_000_000_000 } }],
  },
};

const rss = (weir: Service) => metric(weir.httpPort, 'process_resident_memory_bytes');

describe('a long run on wire', function () {
  this.timeout(HOUR_MS);
  const opened = closers();
  const { figure, write } = results('The gRPC port on wire');

  after(function () {
    if (!this.test?.parent?.tests.some((it) => it.isFailed() || it.isPending())) write();
  });

  async function start(redis?: string): Promise<Service> {
    // A busy machine may keep Redis waiting, which is no matter here.
    const late = { REDIS_COMMAND_TIMEOUT: '30s', MAX_LOOP_LAG: '30s' };
    const env = { GRPC_TRANSPORT: 'wire', ...late };
    const weir = await service({ rules: RULES, redis, env });
    return opened(weir, weir.close);
  }

  it('keeps 10,000 idle connections below 200 MB, and after a call on each of them', async () => {
    const weir = await start();
    const before = await rss(weir);
    const sockets: Socket[] = [];
    opened(sockets, () => {
      for (const socket of sockets) socket.destroy();
    });
    while (sockets.length < CONNECTIONS) {
      const dialled = Array.from({ length: DIALS_AT_ONCE }, () => connect(weir.grpcPort, '127.0.0.1').resume());
      sockets.push(...dialled);
      await Promise.all(dialled.map((socket) => once(socket, 'connect')));
      for (const socket of dialled) socket.write(GREETING);
    }
    const open = () => metric(weir.httpPort, 'ratelimit_grpc_connections');
    await eventually('all to be open', async () => (await open()) === CONNECTIONS, LONG_MS);
    const idle = await rss(weir);
    const checked = call(1, CHECK, Buffer.alloc(0));
    for (let i = 0; i < CONNECTIONS; i += DIALS_AT_ONCE) {
      const some = sockets.slice(i, i + DIALS_AT_ONCE);
      const answered = some.map((socket) => once(socket, 'data'));
      for (const socket of some) socket.write(checked);
      await Promise.all(answered);
    }
    const served = () => metric(weir.httpPort, 'ratelimit_service_total_requests{grpc_method="Check"}');
    await eventually('all to be served', async () => (await served()) === CONNECTIONS, LONG_MS);
    const used = await rss(weir);
    expect(await open()).to.equal(CONNECTIONS);
    const all = [before, idle, used];
    figure('RSS with no connection, 10,000 idle ones, and after a call on each', all.map(megabytes).join(', '));
    expect(Math.max(idle, used)).to.be.below(200 * MEGABYTE);
  });

  for (const store of ['memory', 'Redis'] as const) {
    it(`does not grow by 20 MB from ${CALLS / PARTS} calls to ${CALLS}, counted in ${store}`, async function () {
      let redis: OwnRedis | undefined;
      if (store === 'Redis') {
        needsRedis(this);
        redis = await ownRedis();
        opened(redis, redis.stop);
      }
      const weir = await start(redis?.url);
      const dir = await mkdtemp(path.join(tmpdir(), 'weir-soak-'));
      opened(dir, () => rm(dir, { recursive: true, force: true }));
      const { requestSerialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit!;
      const body = requestSerialize(one('d', 'k', 'v'));
      const pids = { server: weir.process().pid };
      const sizes = [await rss(weir)];
      const began = Date.now();
      let cpuUs = 0;
      for (let i = 0; i < PARTS; i++) {
        const part = await load({ port: weir.grpcPort, pids, calls: CALLS / PARTS, body, dir });
        cpuUs += (part.cpuUs.server ?? 0) / PARTS;
        sizes.push(await rss(weir));
      }
      const seconds = (Date.now() - began) / 1_000;
      figure(`calls counted in ${store}, all answered OK`, CALLS);
      figure(`calls per second, CPU each (${store})`, `${Math.round(CALLS / seconds)}, ${cpuUs.toFixed(1)} us`);
      figure(`RSS idle and after each fifth of them (${store})`, sizes.map(megabytes).join(', '));
      expect(await metric(weir.httpPort, 'ratelimit_decisions_total{domain="d",code="ok"}')).to.equal(CALLS);
      expect(sizes[PARTS]! - sizes[1]!, 'bytes of growth').to.be.at.most(20 * MEGABYTE);
      expect(Math.max(...sizes), 'bytes at most').to.be.below(200 * MEGABYTE);
    });
  }
});
