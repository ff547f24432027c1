import { expect } from 'chai';
import type { Reading } from '../../src/core/decision.ts';
import { type Store, StoreError } from '../../src/core/ports.ts';
import { type BatchWatcher, BreakerOpenError, type BreakerStore, breaker } from '../../src/store/breaker.ts';
import { redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';

const OK: readonly Reading[] = [{ kind: 'counted', used: 1, charged: true, by: 'redis' }];
const DOWN = new StoreError('timeout', 'no answer');

interface World {
  nowUs: number;
  /** What the inner store answers: readings, an error, or nothing yet. */
  answer: () => Promise<readonly Reading[]>;
  asked: number;
  readonly changes: string[];
  readonly store: BreakerStore;
  take(): Promise<readonly Reading[]>;
}

function world(wrap: (inner: Store) => Parameters<typeof breaker>[0] = (inner) => inner): World {
  const inner: Store = {
    take: () => {
      made.asked++;
      return made.answer();
    },
  };
  const changes: string[] = [];
  const store = breaker(wrap(inner), {
    clock: { nowUs: () => made.nowUs },
    random: () => 0,
    onChange: (state, cause) => changes.push(cause === null ? state : `${state}: ${cause.message}`),
  });
  const made: World = {
    nowUs: 0,
    answer: async () => OK,
    asked: 0,
    changes,
    store,
    take: () => store.take([hit('a')], 'always', NOW_US),
  };
  return made;
}

async function failures(made: World, times: number): Promise<void> {
  made.answer = () => Promise.reject(DOWN);
  for (let i = 0; i < times; i++) await failure(made.take());
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

describe('breaker of a store', () => {
  it('asks nobody after 5 failures, and says that it did not', async () => {
    const made = world();
    await failures(made, 5);
    const error = await failure(made.take());
    expect(error).to.be.instanceOf(BreakerOpenError);
    expect(error).to.include({ name: 'StoreError', code: 'unavailable' });
    expect((error as Error).cause).to.equal(DOWN);
    expect(made.asked).to.equal(5);
    expect(made.store.stats).to.deep.equal({ openings: 1, refusals: 1 });
  });

  it('lets 1 of 10 calls through when its time is over, and all once that one was answered', async () => {
    const made = world();
    await failures(made, 5);
    made.nowUs = 250_000;
    let answer: (readings: readonly Reading[]) => void = () => {};
    made.answer = () => new Promise((resolve) => (answer = resolve));
    const calls = Array.from({ length: 10 }, () => failure(made.take()));
    expect(made.asked).to.equal(6);
    answer(OK);
    expect((await Promise.all(calls)).filter((error) => error === null)).to.have.lengthOf(1);
    made.answer = async () => OK;
    await Promise.all(Array.from({ length: 10 }, () => made.take()));
    expect(made.changes).to.deep.equal(['open: no answer', 'half_open', 'closed']);
  });

  it('does not open for a store that is busy on our side', async () => {
    const made = world();
    made.answer = () => Promise.reject(new StoreError('busy', 'full'));
    for (let i = 0; i < 30; i++) await failure(made.take());
    expect(made.store.state).to.equal('closed');
  });

  it('stays open when its probe finds the store still full of what it owes', async () => {
    const made = world();
    await failures(made, 5);
    made.nowUs = 250_000;
    made.answer = () => Promise.reject(new StoreError('busy', 'full'));
    expect(await failure(made.take())).to.be.instanceOf(BreakerOpenError);
    expect(made.store.state).to.equal('open');
    await failure(made.take());
    expect(made.asked).to.equal(6);
  });

  it('probes again when a probe ended without reaching the store', async () => {
    const made = world();
    await failures(made, 5);
    made.nowUs = 250_000;
    made.answer = () => Promise.reject(new Error('a defect'));
    await failure(made.take());
    expect(made.store.state).to.equal('half_open');
    made.answer = async () => OK;
    await made.take();
    expect(made.store.state).to.equal('closed');
  });

  describe('around a store with batches', () => {
    function batching(): World & { watcher(): BatchWatcher } {
      let watcher: BatchWatcher | null = null;
      const made = world((inner) => ({ ...inner, watch: (it) => (watcher = it) }));
      return Object.assign(made, { watcher: () => watcher as unknown as BatchWatcher });
    }

    it('takes 30 failed calls of 1 batch for 1 failure', async () => {
      const made = batching();
      const ended = made.watcher().sent();
      await failures(made, 30);
      ended(DOWN);
      expect(made.store.state).to.equal('closed');
      for (let i = 0; i < 4; i++) made.watcher().sent()(DOWN);
      expect(made.store.state).to.equal('open');
    });

    it('ignores a batch that was sent before it opened', () => {
      const made = batching();
      const late = [made.watcher().sent(), made.watcher().sent()] as const;
      for (let i = 0; i < 5; i++) made.watcher().sent()(DOWN);
      late[0](null);
      expect(made.store.state).to.equal('open');
      made.watcher().heard();
      late[1](null);
      expect(made.store.state).to.equal('half_open');
    });

    it('probes as soon as the store has said something', async () => {
      const made = batching();
      for (let i = 0; i < 5; i++) made.watcher().sent()(DOWN);
      expect(await failure(made.take())).to.be.instanceOf(BreakerOpenError);
      made.watcher().heard();
      const ended = made.watcher().sent;
      made.answer = async () => {
        ended()(null);
        return OK;
      };
      expect(used(await made.take())).to.deep.equal([1]);
      expect(made.store.state).to.equal('closed');
    });
  });

  it('opens when Redis stands still, costs it nothing, and closes when Redis goes on', async function () {
    needsRedis(this);
    this.timeout(30_000);
    const redis = await ownRedis();
    const inner = redisStore({ url: redis.url, commandTimeoutMs: 50 });
    const store = breaker(inner, { clock: { nowUs: () => Math.floor(performance.now() * 1_000) }, random: () => 0 });
    const take = (key: string) => store.take([hit(key)], 'always', NOW_US);
    try {
      await inner.start();
      await eventually('the store to be connected', () => inner.connected);
      expect(used(await take('a'))).to.deep.equal([1]);
      redis.freeze();
      for (let i = 0; i < 5; i++) await failure(take(`gone_${i}`));
      expect(store.state).to.equal('open');
      const { batches } = inner.stats;
      expect(await failure(take('never'))).to.be.instanceOf(BreakerOpenError);
      expect(inner.stats.batches).to.equal(batches);
      redis.thaw();
      await eventually('the breaker to close', async () => (await failure(take('b'))) === null);
      expect(used(await take('a'))).to.deep.equal([2]);
      expect(await redis.client.get('never')).to.equal(null);
    } finally {
      await inner.stop();
      await redis.stop();
    }
  });
});
