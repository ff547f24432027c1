import { expect } from 'chai';
import type { Decision, Hit, LimitVerdict, Match, Reading, Refuses } from '../../src/core/decision.ts';
import { isDenied } from '../../src/core/denial.ts';
import { judge } from '../../src/core/judge.ts';
import { type Algorithm, limit } from '../../src/core/limit.ts';
import { plan } from '../../src/core/plan.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import { hit } from '../contract/hit.ts';
import { rulesetOf } from '../rules/rules.ts';
import { CACHED, counted } from '../telemetry/decisions.ts';
import { matchesOf, request, told } from './asking.ts';

/** 20 minutes and 10 seconds into an hour, which is the first of a day. */
const NOW_US = 1_795_219_200_000_000 + 1_210_000_000;

const RULES = rulesetOf(`
domain: d
descriptors:
  - key: both
    rate_limits:
      - { unit: minute, requests_per_unit: 10, name: burst }
      - { unit: hour, requests_per_unit: 100, name: bulk }
  - key: trial
    rate_limits:
      - { unit: day, requests_per_unit: 10, shadow_mode: true }
      - { unit: hour, requests_per_unit: 100 }
  - key: ghost
    shadow_mode: true
    rate_limits:
      - { unit: minute, requests_per_unit: 10 }
      - { unit: hour, requests_per_unit: 10 }
  - key: quota
    quota_mode: true
    rate_limits:
      - { unit: minute, requests_per_unit: 10 }
      - { unit: hour, requests_per_unit: 10 }
  - key: tried
    quota_mode: true
    rate_limits:
      - { unit: minute, requests_per_unit: 10, shadow_mode: true }
      - { unit: hour, requests_per_unit: 10 }
  - { key: other, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 10 } }
  - { key: plain, rate_limit: { unit: minute, requests_per_unit: 10 } }
  - { key: most, rate_limits: [{ unit: minute, requests_per_unit: 4294967295 }, { unit: hour, requests_per_unit: 4294967295 }] }
  - { key: lifts, rate_limit: { unit: day, requests_per_unit: 10, replaces: [{ name: burst }] } }
  - { key: frees, rate_limit: { unlimited: true, replaces: [{ name: burst }, { name: bulk }] } }
`);

const MODES = { shadowMode: false, quotaMode: false };

function asking(text: string): CheckRequest {
  return request(
    'd',
    text.split(' ').map((key) => `${key}=v`),
  );
}

function hitsOf(asked: CheckRequest, quotaMode = false): readonly Hit[] {
  return plan(asked, matchesOf(RULES, asked), NOW_US, { keyPrefix: '', quotaMode });
}

/** `both=11,3 plain=1`: the counters of the limits of each key then stand there. */
function decide(text: string, modes = MODES, reads: (used: number) => Reading = counted): Decision {
  const parts = text.split(' ').map((part) => part.split('='));
  const asked = asking(parts.map(([key]) => key).join(' '));
  const readings = parts.flatMap(([, used]) => used?.split(',').map((n) => reads(Number(n))) ?? []);
  const matches = matchesOf(RULES, asked);
  return judge(asked, RULES, matches, hitsOf(asked, modes.quotaMode), readings, NOW_US, modes);
}

/** `minute over_limit 0`: what the status of one descriptor tells, after the unit it speaks of. */
function statuses({ outcome, verdicts }: Decision): string {
  const each = verdicts.map((v) => `${v.binding?.hit.limit.unit ?? 'nothing'} ${v.outcome} ${v.remaining}`);
  return `${outcome}: ${each.join(', ')}`;
}

const spoken = (binding: LimitVerdict | null): string | null =>
  binding === null ? null : `${binding.hit.of} ${binding.hit.limit.unit}`;

describe('several limits on a rule: plan', () => {
  it('makes one hit for each limit, side by side, with the place of the descriptor', () => {
    expect(hitsOf(asking('plain nothing both ghost')).map(({ of, key }) => `${of} ${key}`)).to.deep.equal([
      '0 d_plain_v_1795220400',
      '2 {d|both=v}|fixed_window:minute|1795220400',
      '2 {d|both=v}|fixed_window:hour|1795219200',
      '3 {d|ghost=v}|fixed_window:minute|1795220400',
      '3 {d|ghost=v}|fixed_window:hour|1795219200',
    ]);
  });

  it('charges every limit the same cost', () => {
    expect(hitsOf({ ...asking('both'), hits: 7 }).map(({ cost }) => cost)).to.deep.equal([7, 7]);
  });

  const refuses: readonly (readonly [asked: string, quotaMode: boolean, expected: string])[] = [
    ['both', false, 'alone alone'],
    ['trial', false, 'never alone'],
    ['ghost', false, 'never never'],
    ['quota', false, 'together together'],
    ['tried other', false, 'never together together'],
    ['trial both', true, 'never together together together'],
    // A quota whose limits are all in shadow mode always passes.
    ['ghost both', true, 'never never never never'],
  ];
  for (const [asked, quotaMode, expected] of refuses) {
    it(`lets ${asked}${quotaMode ? ' under QUOTA_MODE' : ''} refuse ${expected}`, () => {
      const hits = hitsOf(asking(asked), quotaMode);
      expect(hits.map((each) => each.refuses).join(' ')).to.equal(expected);
      expect(hits.every((each) => !each.shadow || each.refuses === 'never')).to.equal(true);
    });
  }
});

describe('several limits on a rule: the binding one', () => {
  const rows: readonly (readonly [what: string, asked: string, expected: string])[] = [
    ['is the one with the fewest left', 'both=3,98', 'ok: hour ok 2'],
    ['is the first on a tie', 'both=1,91', 'ok: minute ok 9'],
    ['is the one that is over, not one with 0 left', 'both=11,100', 'over_limit: minute over_limit 0'],
    ['is the one that is over, wherever it stands', 'both=10,101', 'over_limit: hour over_limit 0'],
    ['is the one that stays over longest', 'both=11,101', 'over_limit: hour over_limit 0'],
    ['is no shadow limit while another one counts', 'trial=9,3', 'ok: hour ok 97'],
    ['is no spent shadow limit while another one counts', 'trial=11,3', 'ok: hour ok 97'],
    ['is the other one when that is over too', 'trial=11,101', 'over_limit: hour over_limit 0'],
    ['is the first shadow limit where there are no others', 'ghost=3,9', 'ok: minute ok 7'],
    ['is the spent shadow limit where there are no others', 'ghost=3,11', 'ok: hour ok 0'],
    ['is the shadow limit that stays over longest', 'ghost=11,11', 'ok: hour ok 0'],
    ['is the first when all have 4294967295 left', 'most=0,0', 'ok: minute ok 4294967295'],
  ];
  for (const [what, asked, expected] of rows) {
    it(`${what}: ${asked}`, () => expect(statuses(decide(asked))).to.equal(expected));
  }

  it('lends the status its reset: 50 s of the minute, 2390 s of the hour', () => {
    expect(decide('both=9,3').verdicts[0]?.resetAfterUs).to.equal(50_000_000);
    expect(decide('both=11,101').verdicts[0]?.resetAfterUs).to.equal(2_390_000_000);
  });

  it('hides nothing: each limit keeps its own verdict', () => {
    const { limits = [] } = decide('both=11,40').verdicts[0] ?? {};
    expect(limits.map(({ over, remaining, resetAfterUs }) => [over, remaining, resetAfterUs])).to.deep.equal([
      [true, 0, 50_000_000],
      [false, 60, 2_390_000_000],
    ]);
  });

  it('resets when the store says so, before the end of its window', () => {
    const decision = decide('both=11,101', MODES, (used) => ({
      kind: 'counted',
      used,
      charged: true,
      by: 'memory',
      resetAfterUs: used === 11 ? 7_000_000 : 2_000_000,
    }));
    expect(statuses(decision)).to.equal('over_limit: minute over_limit 0');
    expect(decision.verdicts[0]?.resetAfterUs).to.equal(7_000_000);
  });

  it('tells over when the cache remembers one of them', () => {
    expect(statuses(decide('both=0,1', MODES, (used) => (used === 0 ? CACHED : counted(used))))).to.equal(
      'over_limit: minute over_limit 0',
    );
  });

  it('throws when a store answers 1 reading for the 2 limits of one descriptor', () => {
    expect(() => decide('both=1')).to.throw('1 readings for 2 hits');
  });
});

describe('several limits on a rule: the request', () => {
  const rows: readonly (readonly [asked: string, expected: string, binding: string | null, quotaMode?: boolean])[] = [
    ['both=1,1 plain=3', 'ok: minute ok 9, minute ok 7', '1 minute'],
    ['plain=3 both=1,99', 'ok: minute ok 7, hour ok 1', '1 hour'],
    ['both=11,1 plain=11', 'over_limit: minute over_limit 0, minute over_limit 0', '0 minute'],
    ['plain=11 both=1,101', 'over_limit: minute over_limit 0, hour over_limit 0', '1 hour'],
    ['ghost=11,11', 'ok: hour ok 0', null],
    ['trial=11,1 nothing', 'ok: hour ok 99, nothing ok 0', '0 hour'],
    // One spent limit spends a quota; it opens with the last of them, and the request with the first open quota.
    ['quota=11,1', 'over_limit: minute over_limit 0', '0 minute'],
    ['quota=11,11', 'over_limit: hour over_limit 0', '0 hour'],
    ['quota=11,1 other=1', 'ok: minute over_limit 0, day ok 9', '0 hour'],
    ['quota=1,1 other=11', 'ok: minute ok 9, day over_limit 0', '0 minute'],
    ['quota=1,11 other=11', 'over_limit: hour over_limit 0, day over_limit 0', '0 hour'],
    ['quota=11,11 plain=11', 'over_limit: hour over_limit 0, minute over_limit 0', '0 hour'],
    ['tried=11,1 other=11', 'ok: hour ok 9, day over_limit 0', '0 hour'],
    ['tried=1,11 other=11', 'over_limit: hour over_limit 0, day over_limit 0', '0 hour'],
    ['both=11,1 plain=1', 'ok: minute over_limit 0, minute ok 9', '1 minute', true],
    ['both=11,1 plain=11', 'over_limit: minute over_limit 0, minute over_limit 0', '0 minute', true],
  ];
  for (const [asked, expected, binding, quotaMode = false] of rows) {
    it(`is ${expected} for ${asked}${quotaMode ? ' under QUOTA_MODE' : ''}`, () => {
      const decision = decide(asked, { ...MODES, quotaMode });
      expect(statuses(decision)).to.equal(expected);
      expect(spoken(decision.binding)).to.equal(binding);
    });
  }

  const quota = (of: number, refuses: Refuses = 'together') => hit('k', { of, refuses });
  const denials: readonly (readonly [
    what: string,
    hits: readonly Hit[],
    overs: readonly boolean[],
    denied: boolean,
  ])[] = [
    [
      '2 quotas of 2 limits, one of each over',
      [quota(0), quota(0), quota(1), quota(1)],
      [true, false, false, true],
      true,
    ],
    ['2 quotas, both limits of one over', [quota(0), quota(0), quota(1)], [true, true, false], false],
    ['a quota whose shadow limit is over', [quota(0, 'never'), quota(0)], [true, false], false],
    ['no hits', [], [], false],
  ];
  for (const [what, hits, overs, denied] of denials) {
    it(`${denied ? 'is' : 'is not'} denied by ${what}`, () => expect(isDenied(hits, overs)).to.equal(denied));
  }
});

describe('several limits on a rule: replaces', () => {
  const limitsOf = (asked: string): readonly string[] => matchesOf(RULES, asking(asked)).map(told);

  it('takes out the one it names, whichever comes first', () => {
    expect(limitsOf('both')).to.deep.equal(['10/minute burst + 100/hour bulk']);
    expect(limitsOf('both lifts')).to.deep.equal(['100/hour bulk', '10/day']);
    expect(limitsOf('lifts both')).to.deep.equal(['10/day', '100/hour bulk']);
  });

  it('leaves nothing when it names all of them', () => {
    expect(limitsOf('frees both')).to.deep.equal(['unlimited', 'replaced']);
    expect(hitsOf(asking('frees both'))).to.deep.equal([]);
  });

  it('leaves the rule as it is for the next request', () => {
    const kept: readonly Match[] = matchesOf(RULES, asking('both lifts'));
    expect(kept[0]?.kind === 'limited' && kept[0].rule?.limits.length).to.equal(2);
    expect(limitsOf('both')).to.deep.equal(['10/minute burst + 100/hour bulk']);
  });
});

describe('limit', () => {
  const capacities: readonly (readonly [Algorithm, number, number | null, number])[] = [
    ['fixed_window', 10, null, 10],
    ['fixed_window', 10, 3, 10],
    ['sliding_window', 10, 3, 10],
    ['token_bucket', 10, null, 10],
    ['token_bucket', 10, 30, 30],
    ['leaky_bucket', 10, null, 1],
    ['leaky_bucket', 10, 4, 4],
    ['leaky_bucket', 0, null, 0],
  ];
  for (const [algorithm, requestsPerUnit, burst, capacity] of capacities) {
    it(`lets ${capacity} through at once for ${algorithm} of ${requestsPerUnit} and burst ${burst}`, () => {
      expect(limit({ requestsPerUnit, unit: 'minute', algorithm, burst }).capacity).to.equal(capacity);
    });
  }

  it('is plain only without any word that the Go service does not know', () => {
    const one = { requestsPerUnit: 1, unit: 'day' } as const;
    expect([
      limit(one).plain,
      limit({ ...one, multiplier: 1, algorithm: 'fixed_window' }, { name: 'x', shadowMode: true }).plain,
      limit({ ...one, multiplier: 2 }).plain,
      limit({ ...one, algorithm: 'sliding_window' }).plain,
      limit({ ...one, timeZone: 'UTC' }).plain,
      limit(one, { series: '@day' }).plain,
    ]).to.deep.equal([true, true, false, false, false, false]);
  });
});
