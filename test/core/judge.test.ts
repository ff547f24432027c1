import { expect } from 'chai';
import type { Decision, Reading } from '../../src/core/decision.ts';
import { judge } from '../../src/core/judge.ts';
import { plan } from '../../src/core/plan.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import { rulesetOf } from '../rules/rules.ts';
import { CACHED, counted } from '../telemetry/decisions.ts';
import { descriptor, matchesOf, request } from './asking.ts';

/** 20 minutes and 10 seconds into an hour, which is the first of a day. */
const NOW_US = 1_795_219_200_000_000 + 1_210_000_000;

const RULES = rulesetOf(`
domain: d
descriptors:
  - { key: minute, rate_limit: { unit: minute, requests_per_unit: 10 } }
  - { key: hour, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: day, rate_limit: { unit: day, requests_per_unit: 10 } }
  - { key: none, rate_limit: { unit: hour, requests_per_unit: 0 } }
  - { key: most, rate_limit: { unit: hour, requests_per_unit: 4294967295 } }
  - { key: shadow, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 10 } }
  - { key: quota, quota_mode: true, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: quota2, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 10 } }
  - { key: both, quota_mode: true, shadow_mode: true, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: free, rate_limit: { unlimited: true } }
  - { key: listed }
  - { key: fallen, quota_mode: true, rate_limit: { unit: hour, requests_per_unit: 10, name: fallen } }
  - { key: strong, rate_limit: { unit: hour, requests_per_unit: 10, replaces: [{ name: fallen }] } }
`);

interface Modes {
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
}
const PLAIN: Modes = { shadowMode: false, quotaMode: false };
const SHADOW: Modes = { ...PLAIN, shadowMode: true };
const QUOTA: Modes = { ...PLAIN, quotaMode: true };
const BOTH: Modes = { shadowMode: true, quotaMode: true };

function judged(asked: CheckRequest, readings: readonly Reading[], options = PLAIN): Decision {
  const matches = matchesOf(RULES, asked);
  const hits = plan(asked, matches, NOW_US, { keyPrefix: '', quotaMode: options.quotaMode });
  return judge(asked, RULES, matches, hits, readings, NOW_US, options);
}

/** `hour=11 free` asks for both keys; the counter of the first then stands at 11. */
function decide(text: string, options = PLAIN): Decision {
  const parts = text.split(' ').map((part) => part.split('='));
  const readings = parts.filter(([, used]) => used !== undefined).map(([, used]) => counted(Number(used)));
  return judged(
    request(
      'd',
      parts.map(([key]) => `${key}=v`),
    ),
    readings,
    options,
  );
}

/** `over_limit: over_limit 0, ok 3`: the outcome, then outcome and remaining of each verdict. */
function told({ outcome, verdicts }: Decision): string {
  return `${outcome}: ${verdicts.map((v) => `${v.outcome} ${v.remaining}`).join(', ')}`;
}

function bindingOf({ binding, request: { descriptors } }: Decision): string | null {
  return binding === null ? null : (descriptors[binding.hit.of]?.entries[0]?.key ?? '');
}

function table(rows: readonly (readonly [asked: string, expected: string])[], options = PLAIN): void {
  for (const [asked, expected] of rows) {
    it(`${asked} is ${expected}`, () => expect(told(decide(asked, options))).to.equal(expected));
  }
}

describe('judge', () => {
  table([
    ['hour=1', 'ok: ok 9'],
    ['hour=10', 'ok: ok 0'],
    ['hour=11', 'over_limit: over_limit 0'],
    ['hour=0', 'ok: ok 10'],
    ['none=0', 'ok: ok 0'],
    ['none=1', 'over_limit: over_limit 0'],
    ['most=1', 'ok: ok 4294967294'],
    ['most=0', 'ok: ok 4294967295'],
    ['unmatched', 'ok: ok 0'],
    ['listed', 'ok: ok 0'],
    ['free', 'ok: ok 4294967295'],
    ['hour=1 unmatched free', 'ok: ok 9, ok 0, ok 4294967295'],
    ['hour=11 unmatched', 'over_limit: over_limit 0, ok 0'],
    ['unmatched hour=11', 'over_limit: ok 0, over_limit 0'],
    ['fallen strong=4', 'ok: ok 0, ok 6'],
    ['minute=3 hour=11 day=4', 'over_limit: ok 7, over_limit 0, ok 6'],
  ]);

  it('tells how long each window lasts: 50 s of the minute, 2390 s of the hour, 85190 s of the day', () => {
    const { verdicts } = decide('minute=1 hour=11 day=1 shadow=11 free unmatched');
    const seconds = verdicts.map((v) => v.resetAfterUs / 1_000_000);
    expect(seconds).to.deep.equal([50, 2390, 85_190, 85_190, 0, 0]);
  });

  it('keeps request, ruleset and time', () => {
    const asked = request('d', ['hour=v']);
    expect(judged(asked, [counted(1)])).to.include({ request: asked, ruleset: RULES, nowUs: NOW_US });
  });

  it('keeps what was counted with the verdict, and nothing where nothing was', () => {
    const { verdicts } = decide('unmatched hour=4');
    expect(verdicts[0]).to.deep.include({ limits: [], binding: null });
    expect(verdicts[1]?.binding?.hit.limit.unit).to.equal('hour');
    expect(verdicts[1]?.binding?.reading).to.deep.equal(counted(4));
    expect(verdicts[1]?.limits).to.deep.equal([verdicts[1]?.binding]);
  });

  it('gives the readings to limited descriptors in order: the same descriptor twice with 1 and 2 of 1', () => {
    const override = descriptor('x=v', { limit: { requestsPerUnit: 1, unit: 3 } });
    const asked = request('d', [override, 'unmatched=v', override]);
    expect(told(judged(asked, [counted(1), counted(2)]))).to.equal('over_limit: ok 0, ok 0, over_limit 0');
  });

  it('is over when the cache remembers so, and 0 are left', () => {
    const { verdicts, outcome } = judged(request('d', ['hour=v', 'day=v']), [CACHED, counted(1)]);
    expect(outcome).to.equal('over_limit');
    expect(verdicts.map((v) => [v.outcome, v.binding?.over, v.remaining])).to.deep.equal([
      ['over_limit', true, 0],
      ['ok', false, 9],
    ]);
  });

  it('throws when a store answers 1 reading for 2 hits', () => {
    expect(() => judged(request('d', ['hour=v', 'day=v']), [counted(1)])).to.throw('1 readings for 2 hits');
  });
});

describe('judge: a shadow rule', () => {
  table([
    ['shadow=10', 'ok: ok 0'],
    ['shadow=11', 'ok: ok 0'],
    ['shadow=11 hour=11', 'over_limit: ok 0, over_limit 0'],
    ['shadow=11 hour=3', 'ok: ok 0, ok 7'],
  ]);

  it('tells ok and knows that it is over', () => {
    expect(decide('shadow=11').verdicts[0]?.outcome).to.equal('ok');
    expect(decide('shadow=11').verdicts[0]?.binding?.over).to.equal(true);
    expect(decide('shadow=11').shadowed).to.equal(false);
  });

  it('tells ok when the cache remembers that it is over', () => {
    const [verdict] = judged(request('d', ['shadow=v']), [CACHED]).verdicts;
    expect([verdict?.outcome, verdict?.binding?.over]).to.deep.equal(['ok', true]);
  });
});

describe('judge: SHADOW_MODE', () => {
  table(
    [
      ['hour=11', 'ok: over_limit 0'],
      ['hour=11 day=3', 'ok: over_limit 0, ok 7'],
      ['shadow=11', 'ok: ok 0'],
      ['quota=11', 'ok: over_limit 0'],
    ],
    SHADOW,
  );

  it('is told only where it changed the answer', () => {
    expect(decide('hour=11', SHADOW).shadowed).to.equal(true);
    expect(decide('hour=10', SHADOW).shadowed).to.equal(false);
    expect(decide('shadow=11', SHADOW).shadowed).to.equal(false);
    expect(decide('hour=11').shadowed).to.equal(false);
  });

  it('covers overrides too', () => {
    const asked = request('d', [descriptor('x', { limit: { requestsPerUnit: 1, unit: 3 } })]);
    expect(told(judged(asked, [counted(2)], SHADOW))).to.equal('ok: over_limit 0');
  });
});

describe('judge: a quota rule', () => {
  table([
    ['hour=11 quota=3', 'over_limit: over_limit 0, ok 7'],
    ['hour=3 quota=11', 'over_limit: ok 7, over_limit 0'],
    ['hour=3 quota=3', 'ok: ok 7, ok 7'],
    ['quota=11 quota2=11', 'over_limit: over_limit 0, over_limit 0'],
    ['quota=11 quota2=3', 'ok: over_limit 0, ok 7'],
    ['quota2=3 quota=11', 'ok: ok 7, over_limit 0'],
    ['quota=11 unmatched', 'over_limit: over_limit 0, ok 0'],
    ['quota=11 free', 'over_limit: over_limit 0, ok 4294967295'],
    ['quota=11 both=11', 'ok: over_limit 0, ok 0'],
    ['both=11', 'ok: ok 0'],
    // A replaced quota rule is no quota that passed.
    ['fallen strong=3 quota=11', 'over_limit: ok 0, ok 7, over_limit 0'],
  ]);
});

describe('judge: QUOTA_MODE', () => {
  table(
    [
      ['hour=11 day=11', 'over_limit: over_limit 0, over_limit 0'],
      ['hour=11 day=3', 'ok: over_limit 0, ok 7'],
      ['hour=11', 'over_limit: over_limit 0'],
      ['hour=11 unmatched', 'ok: over_limit 0, ok 0'],
      ['hour=11 listed', 'ok: over_limit 0, ok 0'],
      ['hour=11 free', 'over_limit: over_limit 0, ok 4294967295'],
      ['fallen strong=11', 'ok: ok 0, over_limit 0'],
      ['hour=11 shadow=11', 'ok: over_limit 0, ok 0'],
      ['unmatched', 'ok: ok 0'],
      ['free', 'ok: ok 4294967295'],
    ],
    QUOTA,
  );

  it('makes a quota of an override', () => {
    const override = descriptor('x', { limit: { requestsPerUnit: 1, unit: 3 } });
    const asked = request('d', [override, 'hour=v']);
    expect(told(judged(asked, [counted(2), counted(3)], QUOTA))).to.equal('ok: over_limit 0, ok 7');
    expect(told(judged(asked, [counted(2), counted(11)], QUOTA))).to.equal('over_limit: over_limit 0, over_limit 0');
  });

  it('with SHADOW_MODE: the statuses are told, the whole is ok', () => {
    expect(told(decide('hour=11 day=11', BOTH))).to.equal('ok: over_limit 0, over_limit 0');
    expect(decide('hour=11 day=11', BOTH).shadowed).to.equal(true);
    expect(decide('hour=11 day=3', BOTH).shadowed).to.equal(false);
  });
});

describe('judge: the limit that binds', () => {
  const rows: readonly (readonly [what: string, asked: string, binding: string | null, options?: Modes])[] = [
    ['is the one with the fewest left', 'day=3 hour=9 minute=2', 'hour'],
    ['is the first on a tie', 'day=9 hour=9', 'day'],
    ['is none without a limit', 'unmatched free listed', null],
    ['is none when all of 4294967295 are left', 'most=0', null],
    ['is one when 4294967294 are left', 'most=1', 'most'],
    ['is never a shadow rule', 'shadow=9 hour=2', 'hour'],
    ['is never a spent shadow rule', 'shadow=11 hour=2', 'hour'],
    ['is none when only a shadow rule limits', 'shadow=4', null],
    ['of two that refuse is the one that resets last', 'minute=11 day=11 hour=11', 'day'],
    ['of two that refuse is the one that resets last, wherever it stands', 'day=11 hour=11 minute=11', 'day'],
    ['is the one that refuses, not one with 0 left', 'hour=10 minute=11 day=10', 'minute'],
    ['is not a spent quota while another one is open', 'quota=11 quota2=3', 'quota2'],
    ["is not an open quota's spent sibling when a plain rule refuses", 'minute=11 quota=11 quota2=3', 'minute'],
    ['is the spent quota that resets first when all are, because then one is open', 'quota2=11 quota=11', 'quota'],
    ['is the plain rule when it resets after the first of the spent quotas', 'hour=11 quota2=11 quota=11', 'hour'],
    ['is the spent quota when it resets after the plain rule', 'minute=11 quota=11', 'quota'],
    ['is the same under SHADOW_MODE', 'minute=11 day=11', 'day', SHADOW],
    ['is the open one under QUOTA_MODE', 'hour=11 day=3', 'day', QUOTA],
    ['is none under QUOTA_MODE beside a descriptor without a rule', 'hour=11 unmatched', null, QUOTA],
    ['resets first under QUOTA_MODE when all are spent', 'minute=11 hour=11', 'minute', QUOTA],
  ];
  for (const [what, asked, binding, options] of rows) {
    it(`${what}: ${asked}`, () => expect(bindingOf(decide(asked, options))).to.equal(binding));
  }

  it('is the first of two that reset together', () => {
    expect(bindingOf(decide('hour=11 none=1'))).to.equal('hour');
    expect(bindingOf(decide('none=1 hour=11'))).to.equal('none');
  });
});

describe('judge: when nobody counted', () => {
  const down = (part: Partial<Extract<Reading, { kind: 'assumed' }>>): Reading => ({
    kind: 'assumed',
    outcome: 'ok',
    because: 'store_down',
    ...part,
  });

  it('tells what the reading says is left, and the end of the window', () => {
    const [verdict] = judged(request('d', ['hour']), [down({ remaining: 9 })]).verdicts;
    expect(verdict).to.include({ outcome: 'ok', remaining: 9, resetAfterUs: 2_390_000_000 });
  });

  it('tells a refused caller to come again in 1 s, since the store may be back, and not at the end of the window', () => {
    const decision = judged(request('d', ['hour']), [down({ outcome: 'over_limit', because: 'breaker_open' })]);
    expect(decision.outcome).to.equal('over_limit');
    expect(decision.verdicts[0]).to.include({ remaining: 0, resetAfterUs: 1_000_000 });
  });

  it('tells the end of the window to a caller who was refused by the over-limit cache', () => {
    expect(judged(request('d', ['hour']), [CACHED]).verdicts[0]).to.include({ resetAfterUs: 2_390_000_000 });
  });
});
