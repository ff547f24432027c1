import { expect } from 'chai';
import type { Part } from '../../src/core/ports.ts';
import { counting } from '../../src/counting.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { log } from '../../src/telemetry/log.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';

const PASSWORD = 'hunter2';

describe('the log of connections to Redis', function () {
  this.timeout(30_000);
  const opened: (() => Promise<unknown>)[] = [];
  before(function () {
    needsRedis(this);
  });
  afterEach(async () => {
    for (const close of opened.splice(0)) await close();
  });

  async function server(args: readonly string[] = []): Promise<OwnRedis> {
    const made = await ownRedis({ args: ['--requirepass', PASSWORD, ...args], password: PASSWORD });
    opened.unshift(made.stop);
    return made;
  }

  /** What is told of a service with this environment; `second` lets one pass. */
  async function told(env: Readonly<Record<string, string>>) {
    const lines: string[] = [];
    const due: (() => void)[] = [];
    const it = log({
      level: 'info',
      format: 'json',
      destination: { write: (line) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
      delay: (_ms, task) => void due.push(task),
    });
    const counted = counting(readSettings([], env).settings, metrics({ nearLimitRatio: 0.8, process: false }), it);
    const stop = (part: Part) => (): Promise<void> => part.stop();
    for (const part of counted.parts) {
      opened.unshift(stop(part));
      await part.start();
    }
    const second = (): void => {
      for (const task of due.splice(0)) task();
    };
    const until = (text: string, times = 1): Promise<unknown> =>
      eventually(text, () => lines.filter((line) => line === text).length >= times);
    return { lines, second, until };
  }

  it('says that it is not there before it says that it is, and never afterwards', async () => {
    const redis = await server();
    const url = `redis://:${PASSWORD}@${redis.url}`;
    const there = `Redis is there: redis://*****@${redis.url}`;
    const away = `Redis is not there: ${redis.url}`;
    const { lines, second, until } = await told({ REDIS_URL: url });
    await until(there);
    await redis.kill();
    await until(away);
    // Refused dials of the second that begins now are told when it ends, or when Redis is back.
    second();
    await redis.restart();
    await until(there, 2);
    const end = lines.length;
    expect(lines.slice(0, 2)).to.deep.equal([there, away]);
    expect(lines.at(-1)).to.equal(there);
    second();
    second();
    expect(lines.slice(end)).to.deep.equal([]);
    expect(lines.join()).to.not.include(PASSWORD);
  });

  it('names the seed of a cluster that never answered, and not as a connection that was lost', async () => {
    const redis = await server(['--cluster-enabled', 'yes']);
    await redis.client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await eventually('a cluster of one', async () =>
      /cluster_state:ok/.test(String(await redis.client.cluster('INFO'))),
    );
    const missing = `127.0.0.1:${await freePort()}`;
    const urls = [missing, redis.url].map((url) => `redis://:${PASSWORD}@${url}`).join();
    const { lines, second, until } = await told({ REDIS_TYPE: 'cluster', REDIS_URL: urls });
    await eventually('the cluster', () => lines.some((line) => line.startsWith('Redis is there')));
    await eventually('a dial to be told', () => {
      second();
      return lines.includes(`a connection to Redis could not be made: ${missing}`);
    });
    expect(lines.join()).to.not.match(/was lost/);
    await redis.kill();
    await until(`Redis is not there: ${redis.url}`);
    expect(lines.join()).to.not.include(PASSWORD);
  });

  it('says that a connection was lost when another one is there', async () => {
    const redis = await server();
    const { lines, until } = await told({ REDIS_URL: redis.url, REDIS_AUTH: PASSWORD, REDIS_POOL_SIZE: '2' });
    await until(`Redis is there: ${redis.url}`, 2);
    const clients = String(await redis.client.client('LIST')).split('\n');
    const [, id = ''] = /^id=(\d+) /.exec(clients.find((line) => line.includes('name=weir')) ?? '') ?? [];
    await redis.client.call('CLIENT', 'KILL', 'ID', id);
    await until(`a connection to Redis was lost: ${redis.url}`);
    expect(lines.join()).to.not.match(/not there|could not be made/);
  });
});
