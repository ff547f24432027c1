import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Reading } from '../../src/core/decision.ts';
import { StoreError } from '../../src/core/ports.ts';
import { PartlyCountedError } from '../../src/store/partly-counted.ts';
import { type RedisStore, type RedisStoreOptions, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, type OwnRedisOptions, ownRedis } from '../support/redis.ts';

/** Long enough for any machine; the tests about time set their own. */
const PATIENT_MS = 10_000;

const stores: RedisStore[] = [];
const servers: OwnRedis[] = [];

/** One for a single test. */
async function ownServer(options?: OwnRedisOptions): Promise<OwnRedis> {
  const own = await ownRedis(options);
  servers.push(own);
  return own;
}

function storeOn(url: string, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const store = redisStore({ url, commandTimeoutMs: PATIENT_MS, ...options });
  stores.push(store);
  return store;
}

async function started(url: string, options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = storeOn(url, options);
  await store.start();
  await eventually('the store to be answered', () => store.everAnswered);
  return store;
}

async function failure(work: Promise<unknown>): Promise<StoreError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(StoreError);
  return error as StoreError;
}

async function scriptCalls(server: OwnRedis): Promise<number> {
  const stats = await server.client.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

/** Keys that will never go by themselves. */
async function immortal(server: OwnRedis): Promise<string[]> {
  const keys = await server.client.keys('*');
  const lives = await Promise.all(keys.map((key) => server.client.ttl(key)));
  return keys.filter((_, i) => (lives[i] as number) < 1);
}

/** A way to Redis that keeps every reply with `text` in it until it is told to let go. */
async function holdingBack(redisPort: number, text: string) {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const sockets = new Set<Socket>();
  const proxy = createServer((caller) => {
    const redis = connect(redisPort, '127.0.0.1');
    for (const socket of [caller, redis]) sockets.add(socket.on('error', () => {}));
    caller.pipe(redis);
    redis.on('data', async (reply) => {
      if (reply.includes(text)) await released;
      caller.write(reply);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { port: (proxy.address() as AddressInfo).port, release, close };
}

describe('redis store', function () {
  this.timeout(30_000);
  let server: OwnRedis;
  before(async function () {
    needsRedis(this);
    server = await ownRedis();
  });
  beforeEach(() => server.client.flushall());
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.stop();
    for (const own of servers.splice(0)) await own.stop();
  });
  after(() => server?.stop());

  describe('a batch', () => {
    it('is one script call for 100 callers of one turn of the event loop', async () => {
      const store = await started(server.url);
      await store.take([hit('warm')], 'always', NOW_US);
      const before = await scriptCalls(server);
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => store.take([hit(`k${i}`), hit('all')], 'always', NOW_US)),
      );
      expect((await scriptCalls(server)) - before).to.equal(1);
      expect(await server.client.get('all')).to.equal('100');
    });

    it('holds 3 hits when the bound is 3, and a request of 5 goes alone', async () => {
      const batches: number[] = [];
      const store = await started(server.url, { maxBatchHits: 3, onBatch: (hits) => batches.push(hits) });
      const five = Array.from({ length: 5 }, (_, i) => hit(`f${i}`));
      const requests = [[hit('a'), hit('b')], [hit('c')], [hit('d')], five, [hit('e')]];
      await Promise.all(requests.map((hits) => store.take(hits, 'always', NOW_US)));
      expect(batches).to.deep.equal([3, 1, 5, 1]);
      expect(store.stats).to.include({ batches: 4, hits: 10, inFlight: 0 });
    });

    it('is refused as busy when 2 of 2 are in flight, and not any more once they are answered', async () => {
      const store = await started(server.url, { maxBatchHits: 1, maxBatchesInFlight: 2 });
      const [, , third] = await Promise.allSettled([1, 2, 3].map(() => store.take([hit('a')], 'always', NOW_US)));
      expect((third as PromiseRejectedResult).reason).to.include({ name: 'StoreError', code: 'busy' });
      expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([3]);
      expect(store.stats.errors.busy).to.equal(1);
    });

    it('is told to onBatch with its time in microseconds', async () => {
      const told: [number, number][] = [];
      const store = await started(server.url, { onBatch: (hits, tookUs) => told.push([hits, tookUs]) });
      await store.take([hit('a'), hit('b')], 'always', NOW_US);
      expect(told).to.have.lengthOf(1);
      expect(told[0]?.[0]).to.equal(2);
      expect(told[0]?.[1]).to.be.within(1, PATIENT_MS * 1_000);
    });

    it('leaves out the hits of callers who hung up or whose deadline passed, and charges the others', async () => {
      const store = await started(server.url);
      const waits = { deadlineMs: performance.now() + PATIENT_MS, cancelled: false };
      const calls = [
        store.take([hit('hung_up'), hit('b')], 'always', NOW_US, { ...waits, cancelled: true }),
        store.take([hit('too_late')], 'always', NOW_US, { ...waits, deadlineMs: performance.now() - 1 }),
        store.take([hit('b'), hit('c')], 'always', NOW_US, waits),
      ];
      const told = (await Promise.allSettled(calls)).map((call) =>
        call.status === 'fulfilled' ? used(call.value) : call.reason.name,
      );
      expect(told).to.deep.equal(['CallerGoneError', 'CallerGoneError', [1, 1]]);
      expect((await server.client.keys('*')).sort()).to.deep.equal(['b', 'c']);
    });

    it('is not sent at all when every caller has gone', async () => {
      const store = await started(server.url);
      const gone = { deadlineMs: null, cancelled: true };
      const call = store.take([hit('a')], 'always', NOW_US, gone);
      expect(await call.catch((error: Error) => error.name)).to.equal('CallerGoneError');
      expect(store.stats).to.include({ batches: 0, hits: 0, inFlight: 0 });
    });

    it('that runs into its time is told to onBatch once, as a timeout, and its late answer is not', async () => {
      const own = await ownServer();
      const told: (string | null)[] = [];
      const store = await started(own.url, {
        commandTimeoutMs: 50,
        stallTimeoutMs: 60_000,
        onBatch: (_hits, _tookUs, error) => told.push(error?.code ?? null),
      });
      own.freeze();
      await failure(store.take([hit('a')], 'always', NOW_US));
      own.thaw();
      await eventually('the late answer', () => store.stats.inFlight === 0);
      expect(told).to.deep.equal(['timeout']);
    });

    it('is answered unavailable, not busy, while another script holds Redis up', async () => {
      const own = await ownServer({ args: ['--busy-reply-threshold', '10'] });
      const store = await started(own.url);
      const stuck = own.client.eval('while true do end', 0).catch(() => {});
      const error = await eventually('the answer BUSY', async () => {
        const told = await store.take([hit('a')], 'always', NOW_US).catch((thrown: unknown) => thrown);
        return told instanceof StoreError && told;
      });
      expect(error).to.include({ code: 'unavailable', message: 'Redis is busy running another script' });
      const second = own.client.duplicate();
      await second.script('KILL');
      second.disconnect();
      await stuck;
    });
  });

  describe('time to live', () => {
    it('is the window plus a jitter below the most, drawn once when the counter is made', async () => {
      const store = await started(server.url, { expirationJitterMaxSeconds: 300, random: () => 0.5 });
      await store.take([hit('a')], 'always', NOW_US);
      expect(await server.client.ttl('a')).to.be.within(3_748, 3_750);
      await server.client.expire('a', 77);
      await store.take([hit('a')], 'always', NOW_US);
      expect(await server.client.ttl('a')).to.be.within(75, 77);
    });

    it('is the window alone without jitter', async () => {
      const store = await started(server.url, { expirationJitterMaxSeconds: 0 });
      await store.take([{ ...hit('a'), windowSeconds: 60 }], 'always', NOW_US);
      expect(await server.client.ttl('a')).to.be.within(58, 60);
    });

    it('stays as it is through a refund', async () => {
      const store = await started(server.url);
      await server.client.set('a', '5', 'EX', 77);
      await store.take([hit('a', { cost: -2 })], 'always', NOW_US);
      expect(await server.client.get('a')).to.equal('3');
      expect(await server.client.ttl('a')).to.be.within(75, 77);
    });

    it('is given to counters that had to be mended, which had none', async () => {
      const store = await started(server.url);
      await server.client.mset('negative', '-5', 'huge', '9223372036854775807');
      await store.take([hit('negative', { cost: 2 }), hit('huge')], 'always', NOW_US);
      expect(await server.client.mget('negative', 'huge')).to.deep.equal(['2', '9007199254740991']);
      expect(await immortal(server)).to.deep.equal([]);
    });

    it('belongs to every counter after kill -9 in the middle of 20 storms', async () => {
      const own = await ownServer({ args: ['--appendonly', 'yes', '--appendfsync', 'no'] });
      const store = await started(own.url, { expirationJitterMaxSeconds: 0, maxBatchHits: 50 });
      for (let storm = 0; storm < 20; storm++) {
        const name = `storm_${storm}`;
        let answered = 0;
        const calls = Array.from({ length: 1_000 }, (_, i) => {
          const hits = [hit(`${name}_${i}`), hit(`${name}_${i % 7}`), hit(`${name}_s`, { cost: 2 ** 52 })];
          return store.take(hits, i % 2 === 0 ? 'always' : 'stop_when_over', NOW_US).then(() => answered++);
        });
        const ended = Promise.allSettled(calls);
        await eventually('the first answers', () => answered > storm * 10);
        await own.kill();
        await ended;
        await own.restart();
        await eventually('the store to be back', () => store.connected);
      }
      expect(await own.client.dbsize()).to.be.above(0);
      expect(await immortal(own)).to.deep.equal([]);
    });
  });

  describe('a key of another type', () => {
    for (const [what, spoil] of [
      ['a text', () => server.client.set('bad', 'not a number', 'EX', 60)],
      ['a list', () => server.client.rpush('bad', 'x')],
      ['a fraction', () => server.client.set('bad', '1.5', 'EX', 60)],
    ] as const) {
      for (const cost of [1, 0, -1]) {
        it(`(${what}) fails its own request at a cost of ${cost}, and no other of the batch`, async () => {
          const store = await started(server.url);
          await spoil();
          const [bad, good] = await Promise.allSettled([
            store.take([hit('ok'), hit('bad', { cost }), hit('after')], 'always', NOW_US),
            store.take([hit('other')], 'always', NOW_US),
          ]);
          const { reason } = bad as PromiseRejectedResult;
          expect(reason).to.include({ name: 'StoreError', code: 'counter' });
          expect(reason.message).to.not.contain('bad');
          const told = [...(reason as PartlyCountedError).counted];
          expect(told.map(([{ key }, reading]) => [key, ...used([reading])])).to.deep.equal([
            ['ok', 1],
            ['after', 1],
          ]);
          expect(used((good as PromiseFulfilledResult<readonly Reading[]>).value)).to.deep.equal([1]);
          expect(await server.client.mget('ok', 'after', 'other')).to.deep.equal(['1', '1', '1']);
          expect(store.stats.errors).to.include({ counter: 1, script: 0 });
        });
      }
    }

    for (const charge of ['stop_when_over', 'only_if_admitted'] as const) {
      it(`fails a request with ${charge}, and none of its siblings is counted`, async () => {
        const store = await started(server.url);
        await server.client.rpush('bad', 'x');
        const [bad, good] = await Promise.allSettled([
          store.take([hit('ok'), hit('bad'), hit('after')], charge, NOW_US),
          store.take([hit('other'), hit('another')], charge, NOW_US),
        ]);
        expect((bad as PromiseRejectedResult).reason).to.include({ name: 'StoreError', code: 'counter' });
        expect((bad as PromiseRejectedResult).reason).to.not.be.instanceOf(PartlyCountedError);
        expect(used((good as PromiseFulfilledResult<readonly Reading[]>).value)).to.deep.equal([1, 1]);
        expect(await server.client.mget('ok', 'after', 'other')).to.deep.equal([null, null, '1']);
      });
    }
  });

  it('is not taken for a Redis that does not count when its own key holds something else', async () => {
    const store = await started(server.url);
    await server.client.rpush('asked', 'x');
    await store.countsNow('asked');
  });

  it('sends the bytes of a key as they came', async () => {
    const store = await started(server.url);
    await store.take([hit('é\udcff\udc80'), hit('é')], 'always', NOW_US);
    const keys = (await server.client.keysBuffer('*')).map((key) => key.toString('hex')).sort();
    expect(keys).to.deep.equal([Buffer.from('é').toString('hex'), 'c3a9ff80'].sort());
  });

  it('loads its script again after SCRIPT FLUSH, and counts once', async () => {
    const store = await started(server.url);
    await store.take([hit('a')], 'always', NOW_US);
    await server.client.script('FLUSH');
    const answers = await Promise.all([1, 2].map(() => store.take([hit('a')], 'always', NOW_US)));
    expect(answers.map(used)).to.deep.equal([[2], [3]]);
  });

  it('sends nothing but its script and its greeting', async () => {
    const store = await started(server.url);
    await server.client.config('RESETSTAT');
    await store.take([hit('a')], 'always', NOW_US);
    await store.take([hit('a')], 'always', NOW_US);
    const stats = await server.client.info('commandstats');
    const names = [...stats.matchAll(/cmdstat_([\w|]+):calls=(\d+)/g)].map(([, name, calls]) => `${name} ${calls}`);
    expect(names.filter((name) => !name.startsWith('config')).sort()).to.deep.equal(
      ['evalsha 2', 'expire 1', 'incrby 2'].sort(),
    );
  });

  describe('when Redis is not there', () => {
    it('counts a first PING that is answered after its time as an answer', async () => {
      const late = await holdingBack(server.port, 'PONG');
      const store = storeOn(`127.0.0.1:${late.port}`, { commandTimeoutMs: 20 });
      await store.start();
      await eventually('the PING to be given up', () => store.stats.errors.timeout === 1);
      expect(store.everAnswered).to.equal(false);
      late.release();
      await eventually('the store to be answered', () => store.everAnswered);
      await store.stop();
      late.close();
    });

    it('starts, refuses at once, and counts when Redis has come', async () => {
      const port = await freePort();
      const store = storeOn(`127.0.0.1:${port}`);
      await store.start();
      const error = await failure(store.take([hit('a_secret_key')], 'always', NOW_US));
      expect(error.code).to.equal('unavailable');
      expect(error.message).to.not.match(/a_secret_key|127|\d/);
      expect(store.everAnswered).to.equal(false);
      await ownServer({ port });
      await eventually('the store to be answered', () => store.everAnswered);
      expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
    });

    it('fails every call of a kill -9 and counts again after a restart, 3 times', async () => {
      const own = await ownServer();
      const store = await started(own.url);
      for (let round = 1; round <= 3; round++) {
        const calls = Array.from({ length: 100 }, () => store.take([hit('a')], 'always', NOW_US));
        const ended = Promise.allSettled(calls);
        await own.kill();
        for (const call of await ended) {
          if (call.status === 'rejected') expect(call.reason).to.include({ name: 'StoreError', code: 'unavailable' });
        }
        await eventually('the loss to be seen', () => !store.connected);
        expect((await failure(store.take([hit('a')], 'always', NOW_US))).code).to.equal('unavailable');
        await own.restart();
        await eventually('the store to be back', () => store.connected);
        expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
        expect(store.stats.reconnects).to.equal(round);
      }
    });

    it('says why it lost the connection', async () => {
      const own = await ownServer();
      const told: string[] = [];
      const store = await started(own.url, {
        onConnected: () => told.push('connected'),
        onDisconnected: (cause) => told.push(cause?.message ?? 'closed'),
      });
      await own.stop();
      await eventually('a refused dial', () => told.some((text) => text.includes('ECONNREFUSED')));
      expect(told.slice(0, 2)).to.deep.equal(['connected', 'closed']);
      expect(store.connected).to.equal(false);
    });
  });

  describe('when Redis stands still', () => {
    it('fails the calls that wait as timeout, the rest as unavailable, not busy, and is right again afterwards', async () => {
      const own = await ownServer();
      const store = await started(own.url, { commandTimeoutMs: 50, maxBatchesInFlight: 4, stallTimeoutMs: 60_000 });
      await store.take([hit('a')], 'always', NOW_US);
      own.freeze();
      const codes: string[] = [];
      for (let i = 0; i < 6; i++) codes.push((await failure(store.take([hit(`k${i}`)], 'always', NOW_US))).code);
      expect(codes).to.deep.equal(['timeout', 'timeout', 'timeout', 'timeout', 'unavailable', 'unavailable']);
      expect(store.stats.inFlight).to.equal(4);
      own.thaw();
      await eventually('the late answers', () => store.stats.inFlight === 0);
      expect(used(await store.take([hit('a'), hit('k0')], 'always', NOW_US))).to.deep.equal([2, 2]);
    });

    it('ends a call that was collected for 900 ms of its 1000 before one that has 1700 alone', async () => {
      const own = await ownServer();
      const patience = { stallTimeoutMs: 60_000 };
      const stores = [
        await started(own.url, { ...patience, commandTimeoutMs: 1_700 }),
        await started(own.url, { ...patience, commandTimeoutMs: 1_000, windowMs: 900 }),
      ];
      own.freeze();
      const ended: number[] = [];
      const codes = stores.map(async (store, i) => {
        const { code } = await failure(store.take([hit('a')], 'always', NOW_US));
        ended.push(i);
        return code;
      });
      expect(await Promise.all(codes)).to.deep.equal(['timeout', 'timeout']);
      expect(ended).to.deep.equal([1, 0]);
      own.thaw();
    });

    it('gives up a connection that owes an answer for the stall time, and dials anew', async () => {
      const own = await ownServer();
      const store = await started(own.url, { commandTimeoutMs: 20, stallTimeoutMs: 100 });
      own.freeze();
      expect((await failure(store.take([hit('a')], 'always', NOW_US))).code).to.equal('timeout');
      await eventually('the connection to be given up', () => !store.connected);
      expect((await failure(store.take([hit('a')], 'always', NOW_US))).code).to.equal('unavailable');
      own.thaw();
      await eventually('the store to be back', () => store.connected);
      expect(await store.take([hit('b')], 'always', NOW_US)).to.have.lengthOf(1);
    });

    it('takes an answer that came in time, though this process stood still for 4 command timeouts', async () => {
      const store = await started(server.url, { commandTimeoutMs: 50 });
      await store.take([hit('a')], 'always', NOW_US);
      const call = store.take([hit('a')], 'always', NOW_US);
      await new Promise((sent) => setImmediate(sent));
      const until = performance.now() + 200;
      while (performance.now() < until);
      expect(used(await call)).to.deep.equal([2]);
    });

    it('tells that it does not count in time', async () => {
      const own = await ownServer();
      const store = await started(own.url, { commandTimeoutMs: 20, stallTimeoutMs: 60_000 });
      own.freeze();
      expect((await failure(store.countsNow('asked'))).code).to.equal('timeout');
      own.thaw();
    });
  });

  describe('logging in', () => {
    let guarded: OwnRedis;
    before(async () => {
      guarded = await ownRedis({
        password: 'hunter2',
        args: ['--requirepass', 'hunter2', '--databases', '4'],
      });
      await guarded.client.acl('SETUSER', 'weir', 'on', '>let:me:in', '~*', '+@all');
    });
    after(() => guarded?.stop());
    beforeEach(() => guarded.client.flushall());

    it('uses a password', async () => {
      const store = await started(guarded.url, { auth: 'hunter2' });
      expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
    });

    it('uses a user whose password holds colons', async () => {
      const store = await started(guarded.url, { auth: 'weir:let:me:in' });
      expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
      expect(await guarded.client.client('LIST'))
        .to.contain('name=weir')
        .and.contain('user=weir');
    });

    it('counts in the database of the URL', async () => {
      const store = await started(`redis://:hunter2@${guarded.url}/3`);
      await store.take([hit('a')], 'always', NOW_US);
      expect(await guarded.client.info('keyspace'))
        .to.contain('db3:keys=1')
        .and.not.contain('db0');
    });

    it('counts nowhere when the database does not exist', async () => {
      const causes: (Error | undefined)[] = [];
      const store = storeOn(`redis://:hunter2@${guarded.url}/9`, { onDisconnected: (cause) => causes.push(cause) });
      await store.start();
      await eventually('refused dials', () => causes.length > 1);
      expect((await failure(store.take([hit('a')], 'always', NOW_US))).code).to.equal('unavailable');
      expect(causes.map((cause) => cause?.message).join()).to.contain('DB index is out of range');
      expect(await guarded.client.info('keyspace')).to.not.contain('keys=');
    });

    it('shows the wrong password nowhere', async () => {
      const causes: (Error | undefined)[] = [];
      const store = storeOn(guarded.url, { auth: 'weir:WRONG', onDisconnected: (cause) => causes.push(cause) });
      await store.start();
      await eventually('a refused login', () => causes.length > 1);
      const error = await failure(store.take([hit('a')], 'always', NOW_US));
      expect(causes.map((cause) => cause?.message).join()).to.contain('WRONGPASS');
      const everything = JSON.stringify([...causes, error].map((e) => [e?.message, e?.stack, e?.cause, { ...e }]));
      expect(everything)
        .to.not.contain('WRONG"')
        .and.not.match(/WRONG\b/);
      expect(store.connected).to.equal(false);
    });
  });

  it('speaks over a socket', async () => {
    const store = await started(server.socketPath);
    expect(used(await store.take([hit('a')], 'always', NOW_US))).to.deep.equal([1]);
  });

  it('answers a script that is refused for want of memory as unavailable', async () => {
    const own = await ownServer({ args: ['--maxmemory', '1mb', '--maxmemory-policy', 'noeviction'] });
    const store = await started(own.url);
    const error = await failure(store.take([hit('a')], 'always', NOW_US));
    expect(error).to.include({ code: 'unavailable', message: 'Redis has no memory left' });
    expect(await own.client.dbsize()).to.equal(0);
  });

  describe('stopping', () => {
    it('counts what was taken before it, and refuses what comes after', async () => {
      const store = await started(server.url);
      const last = store.take([hit('a')], 'always', NOW_US);
      const stopped = store.stop();
      expect((await failure(store.take([hit('a')], 'always', NOW_US))).code).to.equal('unavailable');
      await stopped;
      expect(used(await last)).to.deep.equal([1]);
      expect(store.connected).to.equal(false);
    });

    it('waits for a Redis that stands still only until its deadline', async () => {
      const own = await ownServer();
      const store = await started(own.url, { stopTimeoutMs: 50, stallTimeoutMs: 60_000 });
      own.freeze();
      const last = failure(store.take([hit('a')], 'always', NOW_US));
      await store.stop();
      expect((await last).code).to.equal('unavailable');
      own.thaw();
    });

    it('works twice, before a start, and while nobody is there', async () => {
      const store = storeOn('127.0.0.1:1');
      await store.stop();
      await store.stop();
      await store.start();
      const lonely = storeOn(`127.0.0.1:${await freePort()}`);
      await lonely.start();
      await Promise.all([lonely.stop(), lonely.stop()]);
      expect(lonely.connected).to.equal(false);
    });
  });
});
