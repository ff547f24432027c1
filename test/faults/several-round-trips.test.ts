import { expect } from 'chai';
import { limit } from '../../src/core/limit.ts';
import type { Charge, Store } from '../../src/core/ports.ts';
import { counting } from '../../src/counting.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { log } from '../../src/telemetry/log.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { hit, NOW_US } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { type FaultProxy, faultProxy, late } from '../support/fault-proxy.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { ownCluster } from '../support/redis-cluster.ts';

/** One round trip fits into the time of a call with room to spare, and two don't fit. */
const LATE_MS = 800;
const COMMAND_TIMEOUT_MS = 1_500;

const CHARGES: readonly Charge[] = ['always', 'stop_when_over', 'only_if_admitted'];
/** Counted in two places in either world: by their unit, or by their slot. */
const HITS = [hit('a'), { ...hit('b'), limit: limit({ requestsPerUnit: 10, unit: 'second' }) }];

interface World {
  readonly env: Readonly<Record<string, string>>;
  readonly ways: readonly FaultProxy[];
  stop(): Promise<unknown>;
}

async function twoRedises(): Promise<World> {
  const servers = await Promise.all([ownRedis(), ownRedis()]);
  const ways = await Promise.all(servers.map(({ port }) => faultProxy(port)));
  const [main, perSecond] = ways.map(({ port }) => `127.0.0.1:${port}`) as [string, string];
  return {
    env: { REDIS_URL: main, REDIS_PERSECOND: 'true', REDIS_PERSECOND_URL: perSecond },
    ways,
    stop: () => Promise.all([...ways.map((way) => way.close()), ...servers.map((server) => server.stop())]),
  };
}

/** The nodes are told to be where the ways to them are. */
async function cluster(): Promise<World> {
  const own = await ownCluster();
  const ways = await Promise.all(own.nodes.map(({ port }) => faultProxy(port)));
  for (const way of ways) {
    way.fault = (piece, { hand }) => {
      const told = own.nodes.reduce(
        (text, { port }, i) => text.replaceAll(`:${port}\r\n`, `:${(ways[i] as FaultProxy).port}\r\n`),
        piece.toString('latin1'),
      );
      hand(Buffer.from(told, 'latin1'));
    };
  }
  return {
    env: { REDIS_URL: ways.map(({ port }) => `127.0.0.1:${port}`).join(), REDIS_TYPE: 'cluster' },
    ways,
    stop: () => Promise.all([...ways.map((way) => way.close()), own.stop()]),
  };
}

for (const [what, make] of [
  ['two Redises', twoRedises],
  ['two slots of a cluster', cluster],
] as const) {
  describe(`a request over ${what} whose answers take ${LATE_MS} of ${COMMAND_TIMEOUT_MS} ms`, function () {
    this.timeout(60_000);
    let world: World;
    let store: Store;
    const opened: (() => Promise<unknown>)[] = [];
    before(async function () {
      needsRedis(this);
      world = await make();
      opened.unshift(world.stop);
      const told = log({ level: 'fatal', format: 'json' });
      const measured = metrics({ nearLimitRatio: 0.8, process: false });
      const env = { ...world.env, REDIS_COMMAND_TIMEOUT: `${COMMAND_TIMEOUT_MS}ms`, MAX_LOOP_LAG: '0' };
      const counted = counting(readSettings([], env).settings, measured, told);
      for (const part of counted.parts) {
        opened.unshift(part.stop.bind(part));
        await part.start();
      }
      ({ store } = counted);
      await eventually('both hits to be counted', () => store.take(HITS, 'only_if_admitted', NOW_US).then(() => true));
      for (const way of world.ways) way.fault = late(LATE_MS, way.fault ?? undefined);
    });
    after(async () => {
      for (const close of opened) await close();
    });

    for (const charge of CHARGES) {
      const told = charge === 'always' ? 'is answered' : 'times out, because it takes two round trips';
      it(`${told} with ${charge}`, async () => {
        const outcome = await store.take(HITS, charge, NOW_US).then(
          () => 'answered',
          (error: Error & { code?: string }) => error.code ?? error.name,
        );
        expect(outcome).to.equal(charge === 'always' ? 'answered' : 'timeout');
      });
    }
  });
}
