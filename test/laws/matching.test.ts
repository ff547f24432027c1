import { expect } from 'chai';
import fc from 'fast-check';
import type { Verdict } from '../../src/core/decision.ts';
import { matchesGlob } from '../../src/core/match.ts';
import { plan } from '../../src/core/plan.ts';
import type { Entry } from '../../src/core/request.ts';
import { UNIT_NUMBER, UNIT_SECONDS, type Unit } from '../../src/core/unit.ts';
import { descriptor, matchesOf, request, told } from '../core/asking.ts';
import { rulesetOf } from '../rules/rules.ts';
import { LAW_RUNS } from './runs.ts';
import { NOON_US, world } from './world.ts';

const RUNS = { numRuns: LAW_RUNS };

/** A rule without children, as YAML (which JSON is). */
interface Draft {
  readonly key: string;
  readonly value?: string;
  /** Tells which rule was picked. */
  readonly requests: number;
}

function rulesOf(drafts: readonly Draft[]) {
  const descriptors = drafts.map(({ key, value, requests }) => ({
    key,
    ...(value === undefined ? {} : { value }),
    rate_limit: { unit: 'hour', requests_per_unit: requests },
  }));
  return rulesetOf(JSON.stringify({ domain: 'd', descriptors }));
}

const letters = (least: number) => fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: least, maxLength: 4 });
const key = letters(1);
const value = letters(1);
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 4 }).map((text) => `${text}*`);

/** A verdict without the place of its descriptor. */
function anywhere(verdict: Verdict): Verdict {
  const limits = verdict.limits.map((each) => ({ ...each, hit: { ...each.hit, of: 0 } }));
  return { ...verdict, limits, binding: limits[0] ?? null };
}

describe('law of matching', function () {
  this.timeout(120_000);

  it('exact value beats wildcard beats bare key, wherever they stand in the file', () => {
    fc.assert(
      fc.property(
        value,
        fc.uniqueArray(fc.oneof(value, pattern, fc.constant(undefined)), { maxLength: 8 }),
        (asked, values) => {
          const drafts = values.map((v, i) => ({ key: 'k', ...(v === undefined ? {} : { value: v }), requests: i }));
          const exact = values.indexOf(asked);
          const wildcard = values.findIndex((v) => v?.includes('*') && matchesGlob(v.split('*'), asked));
          const bare = values.indexOf(undefined);
          const expected = [exact, wildcard, bare].find((at) => at >= 0);
          const [found] = matchesOf(rulesOf(drafts), request('d', [descriptor([{ key: 'k', value: asked }])]));
          expect(told(found!)).to.equal(expected === undefined ? 'no_rule' : `${expected}/hour`);
        },
      ),
      RUNS,
    );
  });

  it('a glob says what the regular expression of the same pattern says', () => {
    fc.assert(
      fc.property(pattern, letters(0), letters(0), (head, tail, text) => {
        const whole = head + tail;
        const regex = new RegExp(`^${whole.split('*').join('.*')}$`, 's');
        expect(matchesGlob(whole.split('*'), text)).to.equal(regex.test(text));
      }),
      RUNS,
    );
  });

  it('the order of siblings without a star changes nothing', () => {
    const entry = fc.record({ key, value: fc.option(value, { nil: undefined }) });
    const siblings = fc
      // Two that read the same when joined are refused, so they are no siblings.
      .uniqueArray(entry, { maxLength: 8, selector: (e) => (e.value === undefined ? e.key : `${e.key}_${e.value}`) })
      .map((all) =>
        all.map(({ key: k, value: v }, i) => ({ key: k, ...(v === undefined ? {} : { value: v }), requests: i })),
      );
    const shuffled = siblings.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(
        shuffled,
        fc.array(fc.record({ key, value: letters(0) }), { maxLength: 6 }),
        ([one, other], asked) => {
          const all = [...asked, ...one.map((d) => ({ key: d.key, value: d.value ?? 'a' }))];
          const of = (drafts: readonly Draft[]) =>
            matchesOf(
              rulesOf(drafts),
              request(
                'd',
                all.map((e) => descriptor([e])),
              ),
            ).map(told);
          expect(of(other)).to.deep.equal(of(one));
        },
      ),
      RUNS,
    );
  });

  it('there is a status for every descriptor, in order, the same as when it is asked alone', async () => {
    const rules = rulesetOf(
      JSON.stringify({
        domain: 'd',
        descriptors: [
          { key: 'hour', rate_limit: { unit: 'hour', requests_per_unit: 3 } },
          { key: 'free', rate_limit: { unlimited: true } },
          { key: 'shadow', shadow_mode: true, rate_limit: { unit: 'day', requests_per_unit: 0 } },
          { key: 'quota', quota_mode: true, rate_limit: { unit: 'day', requests_per_unit: 1 } },
          { key: 'listed', value: 'x' },
        ],
      }),
    );
    const one = fc.record({
      key: fc.constantFrom('hour', 'free', 'shadow', 'quota', 'listed', 'nothing'),
      hits: fc.integer({ min: 0, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 12 }), async (all) => {
        // A value of its own for each, so that none counts for another.
        const descriptors = all.map((d, i) => descriptor([{ key: d.key, value: String(i) }], { hits: d.hits }));
        const together = await world(rules).at(NOON_US, request('d', descriptors));
        expect(together.verdicts.map((v) => v.descriptor)).to.deep.equal(descriptors);
        for (const [i, each] of descriptors.entries()) {
          const { verdicts } = await world(rules).at(NOON_US, request('d', [each]));
          expect(anywhere(together.verdicts[i]!)).to.deep.equal(anywhere(verdicts[0]!));
        }
      }),
      RUNS,
    );
  });
});

describe('law of counter keys', function () {
  this.timeout(120_000);
  const RULES = rulesetOf('domain: d\n');
  const unit = fc.constantFrom<Unit>('second', 'minute', 'hour', 'day', 'week', 'month', 'year');

  function keyOf(entries: readonly Entry[], nowUs: number, per: Unit = 'hour', prefix = ''): string {
    const override = { requestsPerUnit: 1, unit: UNIT_NUMBER[per] };
    const asked = request('d', [descriptor(entries, { limit: override })]);
    return plan(asked, matchesOf(RULES, asked), nowUs, { keyPrefix: prefix, quotaMode: false })[0]!.key;
  }

  const plain = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => !text.includes('_'));
  const entries = fc.array(fc.record({ key: plain, value: plain }), { maxLength: 4 });
  const near = fc.array(fc.record({ key: fc.constantFrom('a', 'aa', '1'), value: fc.constantFrom('', 'a', '1') }), {
    maxLength: 3,
  });

  it('different entries have different keys where nothing holds an underscore', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(entries, entries), fc.tuple(near, near)), ([one, other]) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(keyOf(one, NOON_US) === keyOf(other, NOON_US)).to.equal(same);
      }),
      RUNS,
    );
  });

  it('different windows of one unit have different keys, and one window has one', () => {
    const second = fc.nat(800 * 86_400);
    fc.assert(
      fc.property(entries, unit, second, second, (some, per, a, b) => {
        const window = (s: number) => Math.floor((NOON_US / 1_000_000 + s) / UNIT_SECONDS[per]);
        const [one, other] = [a, b].map((s) => keyOf(some, NOON_US + s * 1_000_000, per));
        expect(one === other).to.equal(window(a) === window(b));
      }),
      RUNS,
    );
  });

  it('are prefix, domain, then key and value of each entry, then the start of the window, joined by _', () => {
    const any = fc.string({ unit: 'binary', maxLength: 6 });
    const anyEntries = fc.array(fc.record({ key: any, value: any }), { maxLength: 4 });
    fc.assert(
      fc.property(anyEntries, unit, fc.nat(800 * 86_400), any, (some, per, seconds, prefix) => {
        const now = NOON_US / 1_000_000 + seconds;
        const start = now - (now % UNIT_SECONDS[per]);
        const joined = ['d', ...some.flatMap((e) => [e.key, e.value]), start].join('_');
        expect(keyOf(some, now * 1_000_000, per, prefix)).to.equal(prefix + joined);
      }),
      RUNS,
    );
  });
});
