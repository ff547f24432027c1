import { expect } from 'chai';
import type { FailurePolicy, Hit, Reading } from '../../src/core/decision.ts';
import { CallerGoneError, type Charge, type Store, StoreError } from '../../src/core/ports.ts';
import { BreakerOpenError } from '../../src/store/breaker.ts';
import { type FailurePolicyOptions, type Fallback, failurePolicy } from '../../src/store/failure-policy.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { PartlyCountedError } from '../../src/store/partly-counted.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';

const DOWN = new StoreError('timeout', 'no answer');

function of(policy: FailurePolicy | null, key: string, part: Parameters<typeof hit>[1] = {}): Hit {
  return { ...hit(key, part), onStoreFailure: policy };
}

interface World {
  /** null: the inner store counts. */
  error: unknown;
  readonly told: Fallback[];
  readonly inner: Store;
  take(hits: readonly Hit[], charge?: Charge): Promise<readonly Reading[]>;
}

function world(options: Partial<FailurePolicyOptions> = {}): World {
  const inner = memoryStore();
  const told: Fallback[] = [];
  const made: World = {
    error: DOWN,
    told,
    inner,
    take: (hits, charge = 'always') => store.take(hits, charge, NOW_US),
  };
  const store = failurePolicy(
    { take: (...args) => (made.error === null ? inner.take(...args) : Promise.reject(made.error)) },
    { policy: 'error', localShare: 1, onFallback: (it) => told.push(it), ...options },
  );
  return made;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail('it was not rejected'),
    (error: unknown) => error,
  );
}

/** `ok 9`, `over_limit`: what is told, and what is told as left. */
function answers(readings: readonly Reading[]): string[] {
  return readings.map((reading) => {
    if (reading.kind === 'counted') return `counted ${reading.used}`;
    return reading.remaining === undefined ? reading.outcome : `${reading.outcome} ${reading.remaining}`;
  });
}

describe('failure policy', () => {
  it('is not asked while the store counts', async () => {
    const made = world({ policy: 'deny' });
    made.error = null;
    expect(answers(await made.take([hit('a')]))).to.deep.equal(['counted 1']);
    expect(made.told).to.deep.equal([]);
  });

  it('error hands the error of the store on', async () => {
    expect(await failure(world().take([hit('a')]))).to.equal(DOWN);
  });

  it('allow tells what the first request of a window is told', async () => {
    const made = world({ policy: 'allow' });
    const hits = [hit('a'), hit('b', { cost: 4 }), hit('c', { cost: 0 }), hit('d', { cost: -3 })];
    expect(answers(await made.take(hits))).to.deep.equal(['ok 9', 'ok 6', 'ok 10', 'ok 10']);
    expect(answers(await made.take(hits))).to.deep.equal(['ok 9', 'ok 6', 'ok 10', 'ok 10']);
  });

  it('allow refuses what no counter could admit: 1 of 0, 11 of 10', async () => {
    const hits = [hit('a', { limit: 0 }), hit('b', { cost: 11 }), hit('c', { limit: 0, cost: 0 })];
    expect(answers(await world({ policy: 'allow' }).take(hits))).to.deep.equal(['over_limit', 'over_limit', 'ok 0']);
  });

  it('deny refuses everything', async () => {
    expect(answers(await world({ policy: 'deny' }).take([hit('a'), hit('b', { cost: 0 })]))).to.deep.equal([
      'over_limit',
      'over_limit',
    ]);
  });

  it('local admits 4 of a limit of 10 that 3 processes share, and refuses the 5th', async () => {
    const made = world({ policy: 'local', localShare: 3 });
    const told: string[] = [];
    for (let i = 0; i < 5; i++) told.push(...answers(await made.take([hit('a')])));
    expect(told).to.deep.equal(['ok 3', 'ok 2', 'ok 1', 'ok 0', 'over_limit']);
  });

  it('local admits 1 of a limit of 1 and none of a limit of 0, however many processes share it', async () => {
    const made = world({ policy: 'local', localShare: 1_000 });
    const hits = [hit('a', { limit: 1 }), hit('b', { limit: 0 })];
    expect(answers(await made.take(hits))).to.deep.equal(['ok 0', 'over_limit']);
  });

  it('local pushes nothing back: the store goes on from where it was', async () => {
    const made = world({ policy: 'local' });
    made.error = null;
    await made.take([hit('a')]);
    made.error = DOWN;
    await made.take([hit('a', { cost: 5 })]);
    made.error = null;
    expect(used(await made.take([hit('a')]))).to.deep.equal([2]);
  });

  it('of a rule beats that of the service', async () => {
    const made = world({ policy: 'deny' });
    expect(answers(await made.take([of('allow', 'a'), of(null, 'b')]))).to.deep.equal(['ok 9', 'over_limit']);
    expect(answers(await world().take([of('allow', 'a')]))).to.deep.equal(['ok 9']);
  });

  it('error of one hit fails its whole request', async () => {
    const made = world({ policy: 'allow' });
    expect(await failure(made.take([of('local', 'a'), of('error', 'b')]))).to.equal(DOWN);
    expect(made.told).to.deep.equal([]);
  });

  it('local does not charge beside a hit that is denied, when refused requests consume nothing', async () => {
    const made = world({ policy: 'local' });
    for (const charge of ['only_if_admitted', 'stop_when_over'] as const) {
      await made.take([hit('a', { cost: 5 }), of('deny', 'b')], charge);
    }
    expect(answers(await made.take([hit('a')]))).to.deep.equal(['ok 9']);
    await made.take([hit('a', { cost: 5 }), of('deny', 'b', { shadow: true })], 'only_if_admitted');
    expect(answers(await made.take([hit('a')]))).to.deep.equal(['ok 3']);
  });

  describe('when a key that holds no counter is among them', () => {
    const broken = new StoreError('counter', 'no counter');
    const bad = (policy: FailurePolicy | null) => of(policy, 'bad');
    /** Counts all but `bad`, as Redis does with hits that are charged in any case. */
    async function taken(made: World, hits: readonly Hit[]): Promise<unknown> {
      const counted = new Map<Hit, Reading>();
      for (const it of hits) {
        if (it.key !== 'bad') counted.set(it, (await made.inner.take([it], 'always', NOW_US))[0] as Reading);
      }
      made.error = new PartlyCountedError(broken, counted);
      return made.take(hits).then(answers, (error: unknown) => error);
    }

    for (const [policy, told] of [
      ['allow', 'ok 9'],
      ['deny', 'over_limit'],
      ['local', 'ok 9'],
    ] as const) {
      it(`answers it by its own word, ${policy}, and its siblings as they were counted`, async () => {
        const made = world();
        const hits = [hit('a'), bad(policy), of('local', 'b')];
        expect(await taken(made, hits)).to.deep.equal(['counted 1', told, 'counted 1']);
        expect(await taken(made, [of('deny', 'a'), bad(policy)])).to.include('counted 2');
        expect(made.told.map(({ hits: count, cause }) => [count, cause.message])).to.deep.equal([
          [1, 'no counter'],
          [1, 'no counter'],
        ]);
      });
    }

    it('fails the request when its own word is error, whatever its siblings say', async () => {
      const made = world({ policy: 'allow' });
      expect(await taken(made, [hit('a'), bad('error')])).to.be.instanceOf(PartlyCountedError);
      expect(made.told).to.deep.equal([]);
    });

    it('does not count its siblings locally as well', async () => {
      const made = world({ policy: 'local' });
      await taken(made, [hit('a'), bad(null)]);
      made.error = DOWN;
      expect(answers(await made.take([hit('a')]))).to.deep.equal(['ok 9']);
    });

    it('answers all by their words when none was counted', async () => {
      const made = world({ policy: 'deny' });
      made.error = broken;
      expect(answers(await made.take([hit('a'), bad('allow')], 'only_if_admitted'))).to.deep.equal([
        'over_limit',
        'ok 9',
      ]);
    });
  });

  it('says why and how many: store_down, or breaker_open when nobody was asked', async () => {
    const made = world({ policy: 'allow' });
    const hits = [hit('a'), of('deny', 'b'), of('allow', 'c')];
    expect(used(await made.take(hits))).to.deep.equal(['store_down', 'store_down', 'store_down']);
    made.error = new BreakerOpenError(DOWN);
    expect(used(await made.take([hit('a')]))).to.deep.equal(['breaker_open']);
    expect(made.told.map(({ policy, because, hits: count }) => `${policy} ${because} ${count}`)).to.deep.equal([
      'allow store_down 2',
      'deny store_down 1',
      'allow breaker_open 1',
    ]);
    expect(made.told[0]?.cause).to.equal(DOWN);
  });

  for (const [what, error] of [
    ['weir is busy itself', new StoreError('busy', 'full')],
    ['the caller has gone', new CallerGoneError()],
    ['there is a defect', new Error('x')],
  ] as const) {
    it(`does not answer when ${what}`, async () => {
      const made = world({ policy: 'allow' });
      made.error = error;
      expect(await failure(made.take([of('local', 'a')]))).to.equal(error);
    });
  }
});
