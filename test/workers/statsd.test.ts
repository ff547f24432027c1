import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect } from 'chai';
import { WINDOW } from '../e2e/window.ts';
import { one } from '../service/caller.ts';
import { metric } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed, WORKERS } from './bed.ts';
import { connection } from './connection.ts';

const RULES = {
  'd.yaml': { domain: 'd', descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: 1 } }] },
};
const ENTRIES = 'ratelimit.localcache.entryCount';

describe(`what ${WORKERS} workers send to statsd`, function () {
  this.timeout(120_000);
  const lines: string[] = [];
  let receiver: Socket;
  let on: Bed;

  before(async function () {
    needsRedis(this);
    receiver = createSocket('udp4').on('message', (bytes) => lines.push(...String(bytes).trim().split('\n')));
    receiver.bind(0, '127.0.0.1');
    await once(receiver, 'listening');
    on = await bed(RULES, {
      USE_DOG_STATSD: 'true',
      STATSD_HOST: '127.0.0.1',
      STATSD_PORT: String(receiver.address().port),
      STATS_FLUSH_INTERVAL: '100ms',
      LOCAL_CACHE_SIZE_IN_BYTES: '1000000',
      OVER_LIMIT_CACHE_MAX_AGE: '60s',
    });
  });
  after(async () => {
    receiver?.close();
    await on?.close();
  });

  const sum = (name: string): number =>
    lines
      .map((line) => line.split(/[:|]/))
      .filter(([its, , kind]) => its === name && kind === 'c')
      .reduce((all, [, value]) => all + Number(value), 0);

  it('is each hit once, each load of rules once, and one number of what all have at hand', async () => {
    for (const value of ['ann', 'bob']) {
      const { ask, close } = connection(`127.0.0.1:${on.weir.grpcPort}`);
      expect(await ask(one('d', 'user', value))).to.equal('OK');
      expect(await ask(one('d', 'user', value))).to.equal('OVER_LIMIT');
      close();
    }
    expect(await metric(on.weir.httpPort, 'ratelimit_localcache_entryCount')).to.equal(2);
    const gauges = () => lines.filter((line) => line.startsWith(`${ENTRIES}:`)).map((line) => line.split(/[:|]/)[1]);
    await eventually('a gauge of 2', () => gauges().at(-1) === '2');
    await eventually('4 hits', () => sum('ratelimit.service.rate_limit.d.user.total_hits') === 4);
    expect(sum('ratelimit.service.config_load_success')).to.equal(1);
    const seen = lines.length;
    await eventually('more flushes', () => lines.slice(seen).filter((line) => line.startsWith(ENTRIES)).length > 2);
    expect([...new Set(gauges().slice(-3))]).to.deep.equal(['2']);
    expect(sum('ratelimit.service.rate_limit.d.user.total_hits')).to.equal(4);
  });
});
