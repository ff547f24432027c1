import { expect } from 'chai';
import fc from 'fast-check';
import { stepOfUsed } from '../../src/core/algorithm/algorithm.ts';
import { isOver, usedAfter } from '../../src/core/algorithm/fixed-window.ts';
import type { Hit, Refuses } from '../../src/core/decision.ts';
import { isDenied, tellsOver } from '../../src/core/denial.ts';
import { fatesOf, oversOf } from '../../src/core/fate.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { LAW_RUNS } from './runs.ts';

function holds<T>(law: fc.IProperty<T> | fc.IAsyncProperty<T>): Promise<void> | undefined {
  return fc.assert(law as fc.IAsyncProperty<T>, { numRuns: LAW_RUNS });
}

const counter = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: MAX_HITS - 20, max: MAX_HITS }));
const cost = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.integer({ min: MAX_HITS - 20, max: MAX_HITS }),
  fc.integer({ min: -MAX_HITS, max: 20 - MAX_HITS }),
);

const refuses = fc.constantFrom<Refuses>('alone', 'together', 'never');
const oneHit = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  cost: fc.integer({ min: -3, max: 6 }),
  limit: fc.nat(8),
  refuses,
});
const manyHits = fc
  .array(oneHit, { minLength: 1, maxLength: 5 })
  .map((all) => all.map(({ key, ...options }, of) => hit(key, { ...options, of })));
const look = (key: string) => hit(key, { cost: 0 });

describe('law of the fixed window', () => {
  it('a counter is an integer from 0 to 2^53-1, whatever was stored', () => {
    holds(
      fc.property(fc.oneof(counter, fc.integer(), fc.constant(2 ** 63)), cost, (before, n) => {
        const after = usedAfter(before, n);
        expect(Number.isSafeInteger(after) && after >= 0).to.equal(true);
      }),
    );
  });

  it('a cost of 0 changes nothing', () => {
    holds(fc.property(counter, (before) => usedAfter(before, 0) === before));
  });

  it('a missing counter, a counter of 0 and a negative one are equal', () => {
    holds(fc.property(cost, fc.integer({ max: -1 }), (n, poison) => usedAfter(poison, n) === usedAfter(0, n)));
  });

  it('n hits of 1 leave what one hit of n leaves', () => {
    holds(
      fc.property(counter, fc.integer({ min: 0, max: 50 }), (before, n) => {
        let after = before;
        for (let i = 0; i < n; i++) after = usedAfter(after, 1);
        expect(after).to.equal(usedAfter(before, n));
      }),
    );
  });

  it('what was charged below the top is given back exactly', () => {
    const n = fc.integer({ min: 0, max: 1_000_000 });
    holds(fc.property(n, n, (before, c) => usedAfter(usedAfter(before, c), -c) === before));
  });

  it('stop_when_over changes nothing unless the request is refused, and then charges only what goes over', () => {
    const one = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }), fc.nat(5), refuses);
    holds(
      fc.property(fc.array(one, { maxLength: 5 }), (all) => {
        const hits = all.map(([, n, limit, how], of) => hit('k', { cost: n, limit, refuses: how, of }));
        const before = all.map(([b]) => b);
        const over = all.map(([b, n, limit]) => b + n > limit);
        const quotas = all.flatMap(([, , , how], i) => (how === 'together' ? [over[i]] : []));
        const denied =
          all.some(([, , , how], i) => over[i] && how === 'alone') || (quotas.length > 0 && quotas.every(Boolean));
        const fates = denied ? over.map((o) => (o ? 'charged' : 'looked_at')) : null;
        expect(fatesOf(hits, oversOf(hits, before, 'stop_when_over', stepOfUsed), 'stop_when_over')).to.deep.equal(
          fates,
        );
      }),
    );
  });

  it('only_if_admitted tells every hit over as always does, and charges all hits or none but refunds', async () => {
    await holds(
      fc.asyncProperty(fc.array(manyHits, { minLength: 1, maxLength: 6 }), async (requests) => {
        const careful = memoryStore({ maxKeys: 100 });
        for (const hits of requests) {
          const keys = [...new Set(hits.map(({ key }) => key))];
          const counters = async () => used(await careful.take(keys.map(look), 'always', NOW_US)) as number[];
          const before = await counters();
          const plain = memoryStore({ maxKeys: 100 });
          await plain.take(
            keys.map((key, i) => hit(key, { cost: before[i] as number })),
            'always',
            NOW_US,
          );
          const always = await plain.take(hits, 'always', NOW_US);
          const readings = await careful.take(hits, 'only_if_admitted', NOW_US);
          const overs = readings.map((reading, i) => tellsOver(reading, hits[i] as Hit));
          expect(overs).to.deep.equal(always.map((reading, i) => tellsOver(reading, hits[i] as Hit)));
          const charged = readings.map((reading) => reading.kind === 'counted' && reading.charged);
          const denied = isDenied(hits, overs);
          expect(charged).to.deep.equal(hits.map(() => !denied));
          const given = (key: string) =>
            hits.reduce(
              (n, h) => (h.key === key && h.cost < 0 ? usedAfter(n, h.cost) : n),
              before[keys.indexOf(key)] as number,
            );
          if (denied) expect(await counters()).to.deep.equal(keys.map(given));
          else expect(readings).to.deep.equal(always);
        }
      }),
    );
  });

  it('no window admits more than its limit, whatever comes in whatever order', async () => {
    const request = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 });
    await holds(
      fc.asyncProperty(fc.array(request, { maxLength: 30 }), fc.nat(12), async (requests, limit) => {
        const store = memoryStore({ maxKeys: 100 });
        let admitted = 0;
        for (const costs of requests) {
          const hits = costs.map((n) => hit('k', { cost: n, limit }));
          const counts = used(await store.take(hits, 'always', NOW_US));
          counts.forEach((count, i) => {
            if (!isOver(count as number, limit)) admitted += costs[i] as number;
          });
        }
        expect(admitted).to.be.at.most(limit);
      }),
    );
  });
});
