import { expect } from 'chai';
import { type Caller, CallerGoneError, type Charge, type Store, StoreError } from '../../src/core/ports.ts';
import { acrossStores } from '../../src/store/across-stores.ts';
import { deadline } from '../../src/store/deadline.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';

const TIMEOUT_MS = 30;
const PATIENT_MS = 60_000;

/** Lets calls go on when told, and sends nothing for a caller who has gone, as Redis's does. */
interface Slow extends Store {
  /** What each call asked for, with the costs that were sent after it was let go. */
  readonly asked: string[];
  waiting(): number;
  go(): void;
}

function slow(inner: Store): Slow {
  const held: (() => void)[] = [];
  const asked: string[] = [];
  return {
    asked,
    waiting: () => held.length,
    go: () => held.shift()?.(),
    async take(hits, charge, nowUs, caller?: Caller) {
      const costs = hits.map(({ cost }) => cost).join();
      if (caller?.cancelled) {
        asked.push(`not sent ${costs}`);
        throw new CallerGoneError();
      }
      asked.push(`sent ${costs}`);
      await new Promise<void>((resolve) => held.push(resolve));
      return inner.take(hits, charge, nowUs, caller);
    },
  };
}

describe('deadline of a store', () => {
  const memory = memoryStore();
  const both = [hit('l'), hit('r')];

  /** The hit `l` is counted at once, and `r` when the slow one is let go. */
  function world(timeoutMs: number, right = slow(memoryStore())) {
    const left = memoryStore();
    const store = deadline(acrossStores({ route: ({ key }) => (key === 'l' ? left : right) }), { timeoutMs });
    const stands = async () => used(await left.take([hit('l', { cost: 0 })], 'always', NOW_US))[0];
    return { store, right, stands };
  }

  async function code(work: Promise<unknown>): Promise<string> {
    const error = await work.catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(StoreError);
    return (error as StoreError).code;
  }

  for (const charge of ['only_if_admitted', 'stop_when_over'] as const) {
    it(`fails a request with ${charge} whose first step is late, and sends no second one`, async () => {
      const { store, right, stands } = world(TIMEOUT_MS);
      expect(await code(store.take(both, charge, NOW_US))).to.equal('timeout');
      right.go();
      await eventually('the second step', () => right.asked.length === 2);
      expect(right.asked).to.deep.equal(['sent 0', 'not sent 1']);
      await eventually('what was charged to be given back', async () => (await stands()) === 0);
    });
  }

  it('fails one whose second step is late with the time of the first, and gives back what is refused later', async () => {
    const taken = memoryStore();
    const right = slow(taken);
    const { store, stands } = world(1_000, right);
    const last = [hit('l', { limit: 9 }), hit('r', { limit: 1 })];
    const answer = code(store.take(last, 'only_if_admitted', NOW_US));
    right.go();
    await eventually('the second step', () => right.waiting() === 1);
    expect(await stands()).to.equal(1);
    await taken.take([hit('r')], 'always', NOW_US);
    expect(await answer).to.equal('timeout');
    right.go();
    await eventually('it to be given back', async () => (await stands()) === 0);
    expect(right.asked).to.deep.equal(['sent 0', 'sent 1']);
  });

  it('tells what both steps say when they are in time', async () => {
    const { store, right } = world(PATIENT_MS);
    const answer = store.take(both, 'only_if_admitted', NOW_US);
    for (let step = 0; step < 2; step++) {
      await eventually('the step', () => right.waiting() === 1);
      right.go();
    }
    expect(used(await answer)).to.deep.equal([1, 1]);
  });

  it('hands on what the inner store makes of a caller who has gone', async () => {
    const { store } = world(PATIENT_MS);
    const gone = { deadlineMs: null, cancelled: true };
    const error = await store.take(both, 'only_if_admitted', NOW_US, gone).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CallerGoneError);
  });

  it('leaves alone what takes one step: hits that are charged in any case, and a hit without siblings', async () => {
    const callers: unknown[] = [];
    const spy: Store = {
      take(...args) {
        callers.push(args[3]);
        return memory.take(...args);
      },
    };
    const store = deadline(spy, { timeoutMs: 1 });
    const caller = { deadlineMs: 1, cancelled: false };
    const asks: readonly (readonly [readonly ReturnType<typeof hit>[], Charge])[] = [
      [both, 'always'],
      [[hit('l')], 'only_if_admitted'],
    ];
    for (const [hits, charge] of asks) await store.take(hits, charge, NOW_US, caller);
    expect(callers).to.deep.equal([caller, caller]);
  });
});
