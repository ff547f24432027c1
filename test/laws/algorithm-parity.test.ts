import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { type BucketState, bucketOf, FULL, gcra, MOST_BUCKET_US } from '../../src/core/algorithm/gcra.ts';
import { elapsedTicks, type SlidingCounters, slidingWindow, TICKS } from '../../src/core/algorithm/sliding-window.ts';
import { MAX_HITS } from '../../src/core/request.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { LAW_RUNS } from './runs.ts';

/** Each step is a line of numbers; the reply is one text per step, of what the twin made of it. */
function harness(name: string, loop: string): string {
  const module = readFileSync(new URL(`../../src/store/redis/lua/${name}.lua`, import.meta.url), 'utf8');
  return `local twin = (function() ${module}\nend)()
local told, number = {}, {}
for i = 1, #ARGV do
  for word in string.gmatch(ARGV[i], '%S+') do number[#number + 1] = tonumber(word) end
  ${loop}
  number = {}
end
return told`;
}

const SLIDING = harness(
  'sliding-window',
  `local used, before, cost, limit, elapsed = unpack(number)
  if used < 0 then used = carried end
  local over, after = twin.decide(twin.counter(used), twin.counter(before), cost, limit, elapsed)
  carried = after
  told[i] = string.format('%s %.0f', tostring(over), after)`,
).replace('local told', 'local carried = 0\nlocal told');

const GCRA = harness(
  'gcra',
  `local cost, us, parts, burst, now = unpack(number)
  local tat_us, tat_parts = twin.parse(stored)
  local over, after_us, after_parts = twin.decide(tat_us, tat_parts, cost, us, parts, burst, now)
  stored = twin.text(after_us, after_parts)
  told[i] = string.format('%s %s %.0f', tostring(over), stored, twin.life_ms(after_us, now))`,
).replace('local told', "local stored = '0:0'\nlocal told");

const cost = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -4, max: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 32, 2 ** 32 - 1, 2 ** 52 + 1, MAX_HITS, MAX_HITS - 1) },
  { weight: 1, arbitrary: fc.constantFrom(1 - 2 ** 32, -(2 ** 52) - 1, -MAX_HITS) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 }) },
);
const waits = fc.oneof(fc.nat(20), fc.nat(2_000_000), fc.nat(2 ** 36));
/** The microsecond that a sequence begins at, about 2^50, which is in the year 2005. */
const about = fc.integer({ min: 2 ** 50 - 2 ** 36, max: 2 ** 50 + 2 ** 36 });

describe('law of parity: an algorithm and its Lua twin decide alike', function () {
  this.timeout(120_000);
  let redis: OwnRedis;
  before(async function () {
    needsRedis(this);
    redis = await ownRedis();
  });
  after(() => redis?.stop());

  async function inLua(script: string, steps: readonly (readonly number[])[]): Promise<readonly string[]> {
    return (await redis.client.eval(script, 0, ...steps.map((numbers) => numbers.join(' ')))) as string[];
  }

  it('sliding_window: equal integers on random sequences at times about 2^50 us', async () => {
    const step = fc.record({ cost, waits, limit: fc.constantFrom(0, 1, 7, 300_000, 2 ** 32 - 1) });
    const seconds = fc.constantFrom(1, 7, 60, 300, 2_592_000, 31_536_000);
    const stored = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 2 ** 32 }), fc.constant(2 ** 53));
    await fc.assert(
      fc.asyncProperty(about, seconds, stored, fc.array(step, { maxLength: 30 }), async (from, length, was, all) => {
        const windowUs = length * TICKS;
        let nowUs = from;
        let windowEndUs = from - (from % windowUs) + windowUs;
        let counters: SlidingCounters = { used: 0, before: Math.min(was, 2 ** 32) };
        const steps: number[][] = [];
        const expected: string[] = [];
        for (const { cost: n, waits: us, limit } of all) {
          nowUs += us;
          const passed = Math.max(0, Math.floor((nowUs - windowEndUs) / windowUs) + 1);
          windowEndUs += passed * windowUs;
          if (passed > 0) counters = { used: 0, before: passed === 1 ? counters.used : 0 };
          const window = { requestsPerUnit: limit, windowSeconds: length, windowEndUs };
          // Negative: what the step before left.
          const used = passed > 0 || steps.length === 0 ? 0 : -1;
          steps.push([used, counters.before, n, limit, elapsedTicks(window, nowUs)]);
          const outcome = slidingWindow(counters, n, window, nowUs);
          counters = outcome.counters;
          expected.push(`${outcome.over} ${counters.used}`);
        }
        expect(await inLua(SLIDING, steps)).to.deep.equal(expected);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('gcra: equal integers on random sequences at times about 2^50 us, from clocks that go back too', async () => {
    const requests = fc.oneof(fc.nat(12), fc.constantFrom(300_000, 999_983, 2 ** 32 - 1));
    const period = fc.constantFrom(1, 60, 3_600, 31_536_000).map((seconds) => seconds * 1_000_000);
    const limit = fc.tuple(requests, period, fc.oneof(fc.nat(30), fc.integer({ min: 1, max: 2 ** 32 - 1 })));
    const step = fc.record({ cost, waits, back: fc.boolean(), other: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(about, limit, limit, fc.array(step, { maxLength: 30 }), async (from, one, other, all) => {
        const buckets = [one, other].map(([rate, periodUs, burst]) => {
          const most = Math.floor(((MOST_BUCKET_US - 1) * Math.max(1, rate)) / (periodUs + rate));
          return bucketOf(rate, periodUs, Math.min(burst, most));
        });
        let nowUs = from;
        let state: BucketState = FULL;
        const steps: number[][] = [];
        const expected: string[] = [];
        for (const { cost: n, waits: us, back, other: changed } of all) {
          nowUs += back ? -Math.min(us, 5_000_000) : us;
          // A limit that is changed finds the state that the other left.
          const bucket = buckets[changed ? 1 : 0] as (typeof buckets)[number];
          steps.push([n, bucket.intervalUs, bucket.intervalParts, bucket.burst, nowUs]);
          const outcome = gcra(state, n, bucket, nowUs);
          state = outcome.state;
          const life = Math.ceil((state.tatUs - nowUs) / 1_000) + 1_000;
          expected.push(`${outcome.over} ${state.tatUs}:${state.tatParts} ${life}`);
        }
        expect(await inLua(GCRA, steps)).to.deep.equal(expected);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
