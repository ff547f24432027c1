import { expect } from 'chai';
import fc from 'fast-check';
import { type CheckRequest, MAX_HITS } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { addToTally, type Tally } from '../../src/core/tally.ts';
import { UNIT_SECONDS, type Unit } from '../../src/core/unit.ts';
import { descriptor, request } from '../core/asking.ts';
import { rulesetOf } from '../rules/rules.ts';
import { LAW_RUNS } from './runs.ts';
import { NOON_US, usedOf, world } from './world.ts';

const RUNS = { numRuns: LAW_RUNS };
const rulesets = new Map<string, Ruleset>();

/** Domain d, key k, so many requests per unit. */
function limitOf(requests: number, unit: Unit): Ruleset {
  const rule = `{ key: k, rate_limit: { unit: ${unit}, requests_per_unit: ${requests} } }`;
  const known = rulesets.get(rule) ?? rulesetOf(`domain: d\ndescriptors:\n  - ${rule}\n`);
  rulesets.set(rule, known);
  return known;
}

function hits(n: number, value = 'v', refund = false): CheckRequest {
  return request('d', [descriptor([{ key: 'k', value }], { hits: n, refund })]);
}

const limit = fc.integer({ min: 0, max: 12 });
const cost = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(MAX_HITS, MAX_HITS - 1, 2 ** 32) },
);
const unit = fc.constantFrom<Unit>('second', 'minute', 'hour', 'day', 'week', 'month', 'year');
const value = fc.constantFrom('v', 'w');

describe('law of limits', function () {
  this.timeout(120_000);

  it('no window admits more than its limit, at whatever times and costs', async () => {
    const call = fc.record({ n: cost, value, waits: fc.double({ min: 0, max: 0.6, noNaN: true }) });
    await fc.assert(
      fc.asyncProperty(limit, unit, fc.array(call, { maxLength: 40 }), async (most, per, calls) => {
        const { at } = world(limitOf(most, per));
        const windowUs = UNIT_SECONDS[per] * 1_000_000;
        const admitted = new Map<string, number>();
        let nowUs = NOON_US;
        for (const { n, value: v, waits } of calls) {
          nowUs += Math.floor(waits * windowUs);
          const { outcome } = await at(nowUs, hits(n, v));
          if (outcome === 'over_limit') continue;
          const window = `${v} ${Math.floor(nowUs / windowUs)}`;
          admitted.set(window, (admitted.get(window) ?? 0) + n);
        }
        expect(Math.max(0, ...admitted.values())).to.be.at.most(most);
      }),
      RUNS,
    );
  });

  it('no window admits more than its limit while refunds come in: admitted minus given back', async () => {
    const call = fc.record({ n: fc.integer({ min: 0, max: 6 }), refund: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(limit, fc.array(call, { maxLength: 40 }), async (most, calls) => {
        const { at } = world(limitOf(most, 'hour'));
        let open = 0;
        for (const { n, refund } of calls) {
          const { outcome } = await at(NOON_US, hits(n, 'v', refund));
          if (refund) open = Math.max(0, open - n);
          else if (outcome === 'ok') open += n;
        }
        expect(open).to.be.at.most(most);
      }),
      RUNS,
    );
  });

  it('admits whatever still fits: a hit is refused only when the counter goes above the limit', async () => {
    await fc.assert(
      fc.asyncProperty(limit, fc.array(cost, { maxLength: 20 }), async (most, costs) => {
        const { at } = world(limitOf(most, 'hour'));
        let asked = 0;
        for (const n of costs) {
          asked = Math.min(MAX_HITS, asked + n);
          const { outcome, verdicts } = await at(NOON_US, hits(n));
          expect(outcome).to.equal(asked > most ? 'over_limit' : 'ok');
          expect(verdicts[0]?.remaining).to.equal(Math.max(0, most - asked));
        }
      }),
      RUNS,
    );
  });

  it('a look between any two calls changes no answer', async () => {
    const call = fc.record({ n: cost, value, refund: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(limit, fc.array(call, { maxLength: 20 }), async (most, calls) => {
        const plain = world(limitOf(most, 'hour'));
        const looking = world(limitOf(most, 'hour'));
        for (const { n, value: v, refund } of calls) {
          const expected = usedOf(await plain.at(NOON_US, hits(n, v, refund)));
          const found = usedOf(await looking.at(NOON_US, hits(n, v, refund)));
          expect(found).to.deep.equal(expected);
          expect(usedOf(await looking.at(NOON_US, hits(0, v)))).to.deep.equal(expected);
        }
      }),
      RUNS,
    );
  });

  it('n hits of 1 that were admitted leave what one hit of n leaves', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.nat(12), async (n, more) => {
        const rules = limitOf(n + more, 'hour');
        const [one, many] = [world(rules), world(rules)];
        for (let i = 0; i < n; i++) expect((await many.at(NOON_US, hits(1))).outcome).to.equal('ok');
        const inOne = await one.at(NOON_US, hits(n));
        const looked = await many.at(NOON_US, hits(0));
        expect(inOne.outcome).to.equal('ok');
        expect(usedOf(looked)).to.deep.equal(usedOf(inOne));
        expect(looked.verdicts[0]?.remaining).to.equal(more);
      }),
      RUNS,
    );
  });

  it('a refund and the same charge change nothing while the counter stays above zero', async () => {
    const n = fc.integer({ min: 0, max: 1_000_000 });
    await fc.assert(
      fc.asyncProperty(n, n, async (rest, c) => {
        const { at } = world(limitOf(10, 'hour'));
        const before = usedOf(await at(NOON_US, hits(rest + c)));
        expect(usedOf(await at(NOON_US, hits(c, 'v', true)))).to.deep.equal([rest]);
        expect(usedOf(await at(NOON_US, hits(c)))).to.deep.equal(before);
      }),
      RUNS,
    );
  });

  it('no refund brings a counter below zero: later hits find the whole limit and no more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(20), cost, limit, async (charged, back, most) => {
        const { at } = world(limitOf(most, 'hour'));
        await at(NOON_US, hits(charged));
        const after = await at(NOON_US, hits(back, 'v', true));
        expect(usedOf(after)).to.deep.equal([Math.max(0, charged - back)]);
        expect(after.verdicts[0]?.remaining).to.be.within(0, most);
      }),
      RUNS,
    );
  });

  async function talliesOf(most: number, costs: readonly number[]): Promise<readonly Tally[]> {
    const { at } = world(limitOf(most, 'hour'));
    const tallies: Tally[] = [];
    for (const n of costs) {
      const tally = { overLimit: 0, nearLimit: 0, withinLimit: 0, overLimitWithLocalCache: 0, shadowMode: 0 };
      const { verdicts } = await at(NOON_US, hits(n));
      addToTally(tally, verdicts[0]!.binding!.reading, n, most, 0.8, false);
      tallies.push(tally);
    }
    return tallies;
  }
  const counted = (tallies: readonly Tally[]) => tallies.reduce((n, t) => n + t.withinLimit + t.overLimit, 0);

  it('hits of 1 are counted as within or as over, and there are as many within as the limit has room for', async () => {
    await fc.assert(
      fc.asyncProperty(limit, fc.nat(20), async (most, calls) => {
        const tallies = await talliesOf(most, Array(calls).fill(1));
        expect(counted(tallies)).to.equal(calls);
        expect(tallies.filter((t) => t.withinLimit === 1)).to.have.length(Math.min(most, calls));
      }),
      RUNS,
    );
  });

  it('hits of a call that reaches across the limit are over as far as they are above it, and else nothing', async () => {
    await fc.assert(
      fc.asyncProperty(limit, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 }), async (most, costs) => {
        let asked = 0;
        let across = 0;
        for (const n of costs) {
          if (asked < most && asked + n > most) across += most - asked;
          asked += n;
        }
        expect(counted(await talliesOf(most, costs))).to.equal(asked - across);
      }),
      RUNS,
    );
  });

  it('refuses until the reset it tells, and not a microsecond longer', async () => {
    await fc.assert(
      fc.asyncProperty(unit, fc.nat(400 * 86_400), fc.nat(999_999), async (per, second, us) => {
        const { at } = world(limitOf(1, per));
        const nowUs = NOON_US + second * 1_000_000 + us;
        const { verdicts } = await at(nowUs, hits(2));
        const resetUs = verdicts[0]!.resetAfterUs;
        expect(resetUs).to.be.within(1, UNIT_SECONDS[per] * 1_000_000);
        expect((await at(nowUs + resetUs - 1, hits(1))).outcome).to.equal('over_limit');
        expect((await at(nowUs + resetUs, hits(1))).outcome).to.equal('ok');
      }),
      RUNS,
    );
  });
});
