import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { type Caller, CallerGoneError } from '../../src/core/ports.ts';
import { project } from '../../src/core/projection.ts';
import { REQUEST_BOUNDS } from '../../src/core/request.ts';
import { jsonHandler } from '../../src/http/json.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import { limiter } from '../../src/limiter.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { rulesetOf } from '../rules/rules.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { fetchFrom, portOf } from './client.ts';

const RULES = rulesetOf('domain: d\ndescriptors: [{key: k, rate_limit: {unit: year, requests_per_unit: 10}}]\n');
const BODY = '{"domain":"d","descriptors":[{"entries":[{"key":"k","value":"v"}]}]}';
const LIMITER = {
  keyPrefix: '',
  keyFormat: 'go',
  hashValue: (value: string) => value,
  quotaMode: false,
  charge: 'always',
  nearLimitRatio: 0.8,
  shadowMode: false,
} as const;

describe('/json and callers who hang up', () => {
  let redis: OwnRedis;
  let counted: RedisStore;
  let server: HttpServer;
  /** Hits wait here before they are sent, as behind a batch. */
  let gate: Promise<void>;
  let open: () => void;
  let callers: Caller[];
  const refused: Error[] = [];
  const bugs: unknown[] = [];

  before(async function () {
    needsRedis(this);
    redis = await ownRedis();
    counted = redisStore({ url: redis.url, commandTimeoutMs: 10_000 });
    await counted.start();
    await eventually('the store to be connected', () => counted.connected);
    const store: RedisStore['take'] = async (hits, charge, nowUs, caller) => {
      callers.push(caller!);
      await gate;
      return counted.take(hits, charge, nowUs, caller);
    };
    const observer = {
      decided: () => {},
      storeFailed: () => {},
      rulesLoaded: () => {},
      requestRefused: (_: unknown, error: Error) => void refused.push(error),
    };
    const clock = { nowUs: () => Date.now() * 1_000 };
    const decider = limiter({ ruleset: () => RULES, store: { take: store }, clock, observer }, LIMITER);
    const headerNames = { limit: '', remaining: '', reset: '' };
    const handler = jsonHandler({
      limiter: decider,
      project: (decision) => project(decision, { headerNames, retryAfterName: '', dynamicMetadata: false }),
      bounds: REQUEST_BOUNDS,
    });
    const onError = (error: unknown) => bugs.push(error);
    server = httpServer({ name: 'http', host: '127.0.0.1', port: 0, routes: { '/json': handler }, onError });
    await server.start();
  });
  beforeEach(async () => {
    await redis.client.flushall();
    callers = [];
    refused.length = 0;
    gate = new Promise((resolve) => {
      open = resolve;
    });
  });
  after(async () => {
    await server?.stop();
    await counted?.stop();
    await redis?.stop();
  });

  async function asking(times = 1): Promise<Socket> {
    const socket = connect(portOf(server), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(
      `POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(BODY)}\r\n\r\n${BODY}`.repeat(times),
    );
    return socket;
  }

  async function billed(): Promise<readonly (string | null)[]> {
    const keys = await redis.client.keys('*');
    return Promise.all(keys.map((key) => redis.client.get(key)));
  }

  for (const [how, hangUp] of [
    ['closed', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    it(`bills 1 of 2 hits when one of the two connections was ${how} before they were sent`, async () => {
      const gone = await asking();
      const stays = fetchFrom(server, '/json', { method: 'POST', body: BODY });
      await eventually('2 hits that wait', () => callers.length === 2);
      expect(callers.map(({ cancelled }) => cancelled)).to.deep.equal([false, false]);
      hangUp(gone);
      await eventually('the hang-up to be seen', () => callers.some(({ cancelled }) => cancelled));
      open();
      const { status, text } = await stays;
      expect([status, JSON.parse(text).statuses[0].limitRemaining]).to.deep.equal([200, 9]);
      expect(await billed()).to.deep.equal(['1']);
      expect(refused.map((error) => error instanceof CallerGoneError)).to.deep.equal([true]);
      expect(bugs).to.deep.equal([]);
    });
  }

  it('bills none of 3 requests that one connection sent at once before it was closed', async () => {
    const gone = await asking(3);
    await eventually('3 hits that wait', () => callers.length === 3);
    gone.end();
    await eventually('the hang-up to be seen', () => callers.every(({ cancelled }) => cancelled));
    open();
    await eventually('3 refusals', () => refused.length === 3);
    expect(await billed()).to.deep.equal([]);
    expect(bugs).to.deep.equal([]);
  });

  it('bills a caller who waits, and answers the next request of his connection', async () => {
    const socket = await asking(2);
    let answers = '';
    socket.on('data', (bytes) => {
      answers += bytes;
    });
    await eventually('2 hits that wait', () => callers.length === 2);
    open();
    await eventually('2 answers', () => answers.split('HTTP/1.1 200').length === 3);
    expect(callers.map(({ cancelled }) => cancelled)).to.deep.equal([false, false]);
    expect(await billed()).to.deep.equal(['2']);
    socket.destroy();
  });
});
