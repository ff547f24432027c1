import { expect } from 'chai';
import fc from 'fast-check';
import { costsWhenStopping, isOver, usedAfter } from '../../src/core/algorithm/fixed-window.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';

const counter = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: MAX_HITS - 20, max: MAX_HITS }));
const cost = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.integer({ min: MAX_HITS - 20, max: MAX_HITS }),
  fc.integer({ min: -MAX_HITS, max: 20 - MAX_HITS }),
);

describe('law of the fixed window', () => {
  it('a counter is an integer from 0 to 2^53-1, whatever was stored', () => {
    fc.assert(
      fc.property(fc.oneof(counter, fc.integer(), fc.constant(2 ** 63)), cost, (before, n) => {
        const after = usedAfter(before, n);
        expect(Number.isSafeInteger(after) && after >= 0).to.equal(true);
      }),
    );
  });

  it('a cost of 0 changes nothing', () => {
    fc.assert(fc.property(counter, (before) => usedAfter(before, 0) === before));
  });

  it('a missing counter, a counter of 0 and a negative one are equal', () => {
    fc.assert(fc.property(cost, fc.integer({ max: -1 }), (n, poison) => usedAfter(poison, n) === usedAfter(0, n)));
  });

  it('n hits of 1 leave what one hit of n leaves', () => {
    fc.assert(
      fc.property(counter, fc.integer({ min: 0, max: 50 }), (before, n) => {
        let after = before;
        for (let i = 0; i < n; i++) after = usedAfter(after, 1);
        expect(after).to.equal(usedAfter(before, n));
      }),
    );
  });

  it('what was charged below the top is given back exactly', () => {
    const n = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(fc.property(n, n, (before, c) => usedAfter(usedAfter(before, c), -c) === before));
  });

  it('stop_when_over changes nothing unless a real hit goes over, and then charges only those that do', () => {
    const one = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: -3, max: 6 }), fc.nat(5), fc.boolean());
    fc.assert(
      fc.property(fc.array(one, { maxLength: 5 }), (all) => {
        const hits = all.map(([, n, limit, shadow]) => hit('k', { cost: n, limit, shadow }));
        const before = all.map(([b]) => b);
        const over = all.map(([b, n, limit]) => b + n > limit);
        const stops = all.some(([, , , shadow], i) => over[i] && !shadow);
        const costs = costsWhenStopping(hits, before);
        expect(costs).to.deep.equal(hits.map((h, i) => (stops && !over[i] ? 0 : h.cost)));
      }),
    );
  });

  it('no window admits more than its limit, whatever comes in whatever order', async () => {
    const request = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
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
