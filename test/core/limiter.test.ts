import { expect } from 'chai';
import type { Decision, Hit } from '../../src/core/decision.ts';
import {
  CallerGoneError,
  type Charge,
  type Charged,
  NoRulesError,
  type Observer,
  type Store,
  StoreError,
} from '../../src/core/ports.ts';
import { type CheckRequest, RequestError } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { type Limiter, type LimiterOptions, limiter } from '../../src/limiter.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { gate } from '../grpc/gate.ts';
import { rulesetOf } from '../rules/rules.ts';
import { descriptor, MATCHING, request } from './asking.ts';

const NOW_US = 1_795_219_200_000_000;

const RULES = rulesetOf(`
domain: d
descriptors:
  - { key: user, rate_limit: { unit: hour, requests_per_unit: 2 } }
  - { key: route, detailed_metric: true, rate_limit: { unit: hour, requests_per_unit: 5 } }
  - { key: free, rate_limit: { unlimited: true } }
  - key: twice
    rate_limits: [{ unit: hour, requests_per_unit: 5 }, { unit: day, requests_per_unit: 9, name: daily }]
`);

interface Told {
  readonly decided: { readonly decision: Decision; readonly tookUs: number }[];
  readonly storeFailed: {
    readonly request: CheckRequest;
    readonly hits: readonly Charged[];
    readonly error: StoreError;
  }[];
  readonly refused: { readonly request: CheckRequest; readonly error: Error }[];
}

interface World {
  readonly limiter: Limiter;
  readonly told: Told;
  /** How many of anything the observer was told. */
  events(): number;
  /** What the store was asked. */
  readonly taken: { readonly hits: readonly Hit[]; readonly charge: Charge; readonly nowUs: number }[];
  nowUs: number;
  rules: Ruleset | null;
}

const OPTIONS: LimiterOptions = { ...MATCHING, keyPrefix: '', charge: 'always', shadowMode: false, quotaMode: false };

function world(store: Store = memoryStore(), options: Partial<LimiterOptions> = {}): World {
  const told: Told = { decided: [], storeFailed: [], refused: [] };
  const observer: Observer = {
    decided: (decision, tookUs) => void told.decided.push({ decision, tookUs }),
    storeFailed: (asked, hits, error) => void told.storeFailed.push({ request: asked, hits, error }),
    requestRefused: (asked, error) => void told.refused.push({ request: asked as CheckRequest, error }),
    rulesLoaded: () => {},
  };
  const taken: World['taken'] = [];
  const watched: Store = {
    take(hits, charge, nowUs, caller) {
      taken.push({ hits, charge, nowUs });
      return store.take(hits, charge, nowUs, caller);
    },
  };
  const it: World = {
    limiter: limiter(
      { ruleset: () => it.rules, store: watched, clock: { nowUs: () => it.nowUs }, observer },
      { ...OPTIONS, ...options },
    ),
    told,
    events: () => told.decided.length + told.storeFailed.length + told.refused.length,
    taken,
    nowUs: NOW_US,
    rules: RULES,
  };
  return it;
}

const failing = (error: unknown): Store => ({ take: () => Promise.reject(error) });

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it was not rejected'),
    (error: unknown) => error,
  );
}

describe('limiter', () => {
  it('refuses the 3rd hit of a 2-per-hour limit, and admits it again in the next hour', async () => {
    const it = world();
    const outcomes = [];
    for (let call = 1; call <= 3; call++) outcomes.push((await it.limiter.decide(request('d', ['user=ann']))).outcome);
    expect(outcomes).to.deep.equal(['ok', 'ok', 'over_limit']);
    it.nowUs += 3_600_000_000 - 1;
    expect((await it.limiter.decide(request('d', ['user=ann']))).outcome).to.equal('over_limit');
    it.nowUs += 1;
    expect((await it.limiter.decide(request('d', ['user=ann']))).outcome).to.equal('ok');
  });

  for (const [countDenied, ofDomain, stops, charge] of [
    [undefined, null, false, 'always'],
    [true, null, true, 'stop_when_over'],
    [false, null, false, 'only_if_admitted'],
    [false, null, true, 'only_if_admitted'],
    [true, false, true, 'only_if_admitted'],
    [false, true, false, 'always'],
    [false, true, true, 'stop_when_over'],
  ] as const) {
    const service = `COUNT_DENIED=${countDenied ?? 'unset'}${stops ? ' and stop-increment' : ''}`;
    it(`charges ${charge} with ${service} and count_denied ${ofDomain ?? 'unsaid'}`, async () => {
      const options = { charge: stops ? 'stop_when_over' : 'always' } as const;
      const it = world(memoryStore(), countDenied === undefined ? options : { ...options, countDenied });
      const said = ofDomain === null ? '' : `count_denied: ${ofDomain}\n`;
      it.rules = rulesetOf(
        `domain: d\n${said}descriptors: [{ key: k, rate_limit: { unit: hour, requests_per_unit: 1 } }]\n`,
      );
      await it.limiter.decide(request('d', ['k=v']));
      expect(it.taken.map((taken) => taken.charge)).to.deep.equal([charge]);
    });
  }

  it('admits 2 small requests after a big one was refused, where denied requests are not counted', async () => {
    const it = world(memoryStore(), { countDenied: false });
    const decide = async (hits: number) => {
      const { outcome, verdicts } = await it.limiter.decide(request('d', ['user=ann', 'route=a'], hits));
      return `${outcome} ${verdicts.map((v) => `${v.outcome} ${v.remaining}`).join(', ')}`;
    };
    expect(await decide(3)).to.match(/^over_limit over_limit 0, ok /);
    expect(await decide(1)).to.match(/^ok ok 1, ok /);
    expect(await decide(1)).to.match(/^ok ok 0, ok /);
    expect(await decide(1)).to.match(/^over_limit over_limit 0, ok /);
  });

  it('hands the store all hits of a request at once, with its own time, prefix and charge', async () => {
    const it = world(memoryStore(), { keyPrefix: 'p:', charge: 'stop_when_over' });
    await it.limiter.decide(request('d', ['user=ann', 'nothing=x', 'route=a'], 2));
    expect(it.taken).to.have.length(1);
    expect(it.taken[0]).to.include({ charge: 'stop_when_over', nowUs: NOW_US });
    expect(it.taken[0]?.hits.map(({ key, cost }) => `${key} ${cost}`)).to.deep.equal([
      'p:d_user_ann_1795219200 2',
      'p:d_route_a_1795219200 2',
    ]);
  });

  it('does not ask the store when nothing is limited', async () => {
    const it = world(failing(new StoreError('unavailable', 'gone')));
    const { verdicts } = await it.limiter.decide(request('d', ['nothing=x', 'free=x']));
    expect(verdicts.map(({ match }) => match.kind)).to.deep.equal(['none', 'unlimited']);
    expect((await it.limiter.decide(request('elsewhere', ['user=x']))).outcome).to.equal('ok');
    expect(it.taken).to.deep.equal([]);
    expect(it.told.decided).to.have.length(2);
  });

  it('tells the observer once of a decision, how long it took, and the very same decision', async () => {
    const open = gate();
    const it = world({
      async take(hits, charge, nowUs) {
        await open.opened;
        return memoryStore().take(hits, charge, nowUs);
      },
    });
    const deciding = it.limiter.decide(request('d', ['user=ann']));
    it.nowUs += 1_500;
    open.open();
    const decision = await deciding;
    expect(it.told.decided).to.deep.equal([{ decision, tookUs: 1_500 }]);
    expect(it.told.decided[0]?.decision).to.equal(decision);
    expect(it.events()).to.equal(1);
  });

  it('judges by the time at which the request came, however long the store takes', async () => {
    const open = gate();
    const inner = memoryStore();
    const it = world({
      async take(hits, charge, nowUs) {
        await open.opened;
        return inner.take(hits, charge, nowUs);
      },
    });
    const deciding = it.limiter.decide(request('d', ['user=ann']));
    it.nowUs += 7_200_000_000;
    open.open();
    const { nowUs, verdicts } = await deciding;
    expect(nowUs).to.equal(NOW_US);
    expect(verdicts[0]?.resetAfterUs).to.equal(3_600_000_000);
  });

  it('finishes with the ruleset it began with when a reload comes in between', async () => {
    const open = gate();
    const inner = memoryStore();
    const it = world({
      async take(hits, charge, nowUs) {
        await open.opened;
        return inner.take(hits, charge, nowUs);
      },
    });
    const before = it.limiter.decide(request('d', ['user=ann']));
    it.rules = rulesetOf('domain: d\ndescriptors: [{ key: user, rate_limit: { unit: hour, requests_per_unit: 0 } }]\n');
    const after = it.limiter.decide(request('d', ['user=ann']));
    open.open();
    expect(await before).to.include({ ruleset: RULES, outcome: 'ok' });
    expect((await before).verdicts[0]?.binding?.hit.limit.requestsPerUnit).to.equal(2);
    expect(await after).to.include({ ruleset: it.rules, outcome: 'over_limit' });
  });

  it('knows that 2 requests wait for the store, and none when they are answered or failed', async () => {
    const open = gate();
    let calls = 0;
    const it = world({
      async take(hits, charge, nowUs) {
        calls++;
        const fails = calls === 2;
        await open.opened;
        if (fails) throw new StoreError('timeout', 'late');
        return memoryStore().take(hits, charge, nowUs);
      },
    });
    const first = it.limiter.decide(request('d', ['user=a']));
    const second = it.limiter.decide(request('d', ['user=b'])).catch((error: unknown) => error);
    await it.limiter.decide(request('d', ['free=x']));
    expect(it.limiter.inFlight()).to.equal(2);
    open.open();
    await Promise.all([first, second]);
    expect(it.limiter.inFlight()).to.equal(0);
  });
});

describe('limiter: what it refuses', () => {
  const badUnit = descriptor('user=a', { limit: { requestsPerUnit: 1, unit: 99 } });

  const refusals: readonly (readonly [what: string, asked: CheckRequest, rules: Ruleset | null, message: string])[] = [
    ['an empty domain before all else', request('', []), null, 'rate limit domain must not be empty'],
    ['an empty list before missing rules', request('d', []), null, 'rate limit descriptor list must not be empty'],
    ['missing rules before a unit', request('d', [badUnit]), null, 'no rate limit configuration loaded'],
    ['an unknown unit', request('d', ['user=a', badUnit]), RULES, 'rate limit override has an unknown unit: 99'],
  ];
  for (const [what, asked, rules, message] of refusals) {
    it(`is ${what}: ${message}`, async () => {
      const it = world();
      it.rules = rules;
      const error = await rejection(it.limiter.decide(asked));
      expect(error).to.be.instanceOf(rules === null && asked.descriptors.length > 0 ? NoRulesError : RequestError);
      expect(error).to.have.property('message', message);
    });
  }

  it('is told once, with the error the caller gets, and the store is not asked', async () => {
    const it = world();
    const asked = request('d', []);
    const error = await rejection(it.limiter.decide(asked));
    expect(it.told.refused).to.deep.equal([{ request: asked, error }]);
    expect(it.events()).to.equal(1);
    expect(it.taken).to.deep.equal([]);
  });

  it('is no unit in a domain without rules', async () => {
    const it = world();
    expect((await it.limiter.decide(request('elsewhere', [badUnit]))).outcome).to.equal('ok');
  });
});

describe('limiter: when the store fails', () => {
  it('hands the caller to the store, and tells of one who has gone as of a request that was refused', async () => {
    const gone = new CallerGoneError();
    const callers: unknown[] = [];
    const it = world({
      take: (_hits, _charge, _nowUs, caller) => {
        callers.push(caller);
        return Promise.reject(gone);
      },
    });
    const caller = { deadlineMs: 5, cancelled: false };
    expect(await rejection(it.limiter.decide(request('d', ['user=ann']), caller))).to.equal(gone);
    expect(callers).to.deep.equal([caller]);
    expect(it.told.refused.map(({ error }) => error)).to.deep.equal([gone]);
    expect(it.events()).to.equal(1);
  });

  it('rejects with the StoreError itself, and tells the observer once of the hits and their metric keys', async () => {
    const gone = new StoreError('unavailable', 'gone');
    const it = world(failing(gone));
    const asked = request('d', ['nothing=x', 'user=ann', 'route=a', 'twice=a'], 3);
    expect(await rejection(it.limiter.decide(asked))).to.equal(gone);
    expect(it.events()).to.equal(1);
    const [{ request: of, hits, error } = expect.fail('nothing was told')] = it.told.storeFailed;
    expect(of).to.equal(asked);
    expect(error).to.equal(gone);
    expect(hits.map(({ hit, metric }) => `${metric} ${hit.cost}`)).to.deep.equal([
      'd.user 3',
      'd.route_a 3',
      'd.twice@hour 3',
      'd.twice@daily 3',
    ]);
  });

  it('hands a bug on and tells the observer nothing, as it is no failure of the store', async () => {
    const bug = new TypeError('bug');
    const it = world(failing(bug));
    expect(await rejection(it.limiter.decide(request('d', ['user=ann'])))).to.equal(bug);
    expect(it.events()).to.equal(0);
    expect(it.limiter.inFlight()).to.equal(0);
  });

  it('rejects, and does not throw, when the store throws before it promises', async () => {
    const gone = new StoreError('busy', 'full');
    const it = world({
      take() {
        throw gone;
      },
    });
    expect(await rejection(it.limiter.decide(request('d', ['user=ann'])))).to.equal(gone);
    expect(it.told.storeFailed).to.have.length(1);
    expect(it.limiter.inFlight()).to.equal(0);
  });

  it('decides again as soon as the store does', async () => {
    const inner = memoryStore();
    let gone = true;
    const it = world({
      take: (...asked) => (gone ? Promise.reject(new StoreError('timeout', 'late')) : inner.take(...asked)),
    });
    await rejection(it.limiter.decide(request('d', ['user=ann'])));
    gone = false;
    expect((await it.limiter.decide(request('d', ['user=ann']))).verdicts[0]?.remaining).to.equal(1);
  });
});
