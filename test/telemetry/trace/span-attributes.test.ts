import { expect } from 'chai';
import type { Verdict } from '../../../src/core/decision.ts';
import { decisionAttributes, MOST_REASONS } from '../../../src/telemetry/trace/span-attributes.ts';
import { rule } from '../../support/rule.ts';
import { CACHED, charged, counted, decision, free, hit, ruleset, UNKNOWN_DOMAIN } from '../decisions.ts';

const SET = ruleset(['shop']);
const USER = rule('shop.user');

const over = (verdict: Verdict): Verdict => ({
  ...verdict,
  limits: verdict.limits.map((each) => ({ ...each, over: true })),
});
const reasonsOf = (...verdicts: Parameters<typeof decision>[2]) =>
  decisionAttributes(decision('shop', SET, verdicts)).reasons;

describe('what a span tells of a decision', () => {
  it('is the outcome, whether SHADOW_MODE made it, and a reason for each descriptor', () => {
    const made = decision('shop', SET, [UNKNOWN_DOMAIN, free({ kind: 'none', because: 'no_rule' })], {
      shadowed: true,
    });
    expect(decisionAttributes(made)).to.deep.equal({
      decision: 'ok',
      shadowed: true,
      reasons: ['unknown_domain', 'no_rule'],
    });
    expect(decisionAttributes({ ...made, outcome: 'over_limit' }).decision).to.equal('over_limit');
  });

  it('names the rule, the count and the limit', () => {
    expect(reasonsOf(charged(USER, counted(7)))).to.deep.equal(['shop.user: ok, 7 of 10 per minute']);
    expect(reasonsOf(over(charged(USER, counted(11))))).to.deep.equal(['shop.user: over_limit, 11 of 10 per minute']);
    expect(reasonsOf(free({ kind: 'unlimited', rule: USER }), free({ kind: 'replaced', rule: USER }))).to.deep.equal([
      'shop.user: unlimited',
      'shop.user: replaced',
    ]);
  });

  it('says what was not counted, not charged, or only watched', () => {
    const down = { kind: 'assumed', outcome: 'ok', because: 'store_down' } as const;
    const spared = { kind: 'counted', used: 9, charged: false, over: true, by: 'redis' } as const;
    expect(
      reasonsOf(
        over(charged(USER, CACHED)),
        charged(USER, down),
        over(charged(USER, spared)),
        over(charged(USER, counted(12), hit(1, { shadow: true }))),
      ),
    ).to.deep.equal([
      'shop.user: over_limit, 10 per minute, over_limit_cache',
      'shop.user: ok, 10 per minute, store_down',
      'shop.user: over_limit, 9 of 10 per minute, not charged',
      'shop.user: ok, 12 of 10 per minute, shadow',
    ]);
  });

  it('holds no value that a caller sent: an override is told without its metric key, a counter without its key', () => {
    const told = JSON.stringify(reasonsOf(charged('shop.user_secret-ann', counted(1))));
    expect(told).to.equal('["override: ok, 1 of 10 per minute"]');
  });

  it(`has at most ${MOST_REASONS} reasons, and then says how many more there are`, () => {
    const reasons = reasonsOf(...Array.from({ length: MOST_REASONS + 5 }, () => UNKNOWN_DOMAIN));
    expect(reasons).to.have.length(MOST_REASONS + 1);
    expect(reasons.at(-1)).to.equal('and 5 more');
  });
});
