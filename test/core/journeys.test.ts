import { expect } from 'chai';
import type { Decision } from '../../src/core/decision.ts';
import type { CheckRequest, Descriptor } from '../../src/core/request.ts';
import { addToTally, type Tally } from '../../src/core/tally.ts';
import type { LimiterOptions } from '../../src/limiter.ts';
import { NOON_US, world } from '../laws/world.ts';
import { rulesetOf } from '../rules/rules.ts';
import { descriptor, request } from './asking.ts';

const SECOND_US = 1_000_000;

interface Journey {
  /** Asks in domain d; answers what the client sees: the outcome, then outcome and remaining of each status. */
  ask(...descriptors: readonly (string | Descriptor)[]): Promise<string>;
  decide(asked: CheckRequest): Promise<Decision>;
  pass(us: number): void;
}

function journey(rules: string, options: Partial<LimiterOptions> = {}): Journey {
  const { at } = world(rulesetOf(`domain: d\ndescriptors:\n${rules}`), options);
  let nowUs = NOON_US;
  const decide = (asked: CheckRequest): Promise<Decision> => at(nowUs, asked);
  return {
    decide,
    async ask(...descriptors) {
      const { outcome, verdicts } = await decide(request('d', descriptors));
      return `${outcome}: ${verdicts.map((v) => `${v.outcome} ${v.remaining}`).join(', ')}`;
    },
    pass(us) {
      nowUs += us;
    },
  };
}

/** The outcomes of `n` times the same question. */
async function times(n: number, ask: () => Promise<string>): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (let call = 0; call < n; call++) outcomes.push((await ask()).split(':')[0]!);
  return outcomes;
}

const oks = (n: number): readonly string[] => Array(n).fill('ok');
const overs = (n: number): readonly string[] => Array(n).fill('over_limit');
const hits = (entries: string, n: number): Descriptor => descriptor(entries, { hits: n });

describe('counting', () => {
  it('admits 20 of 25 calls of a 20-per-minute limit, 19 to 0 left, and all again a minute later', async () => {
    const { ask, pass } = journey('  - { key: k, rate_limit: { unit: minute, requests_per_unit: 20 } }');
    expect(await ask('k=v')).to.equal('ok: ok 19');
    expect(await times(24, () => ask('k=v'))).to.deep.equal([...oks(19), ...overs(5)]);
    expect(await ask('k=w')).to.equal('ok: ok 19');
    pass(60 * SECOND_US);
    expect(await ask('k=v')).to.equal('ok: ok 19');
  });

  it('counts a refused call: 5 hits on 3 are over, and the 1 after them too', async () => {
    const { ask } = journey('  - { key: k, rate_limit: { unit: hour, requests_per_unit: 3 } }');
    expect(await ask(hits('k=v', 5))).to.equal('over_limit: over_limit 0');
    expect(await ask(hits('k=v', 0))).to.equal('over_limit: over_limit 0');
    expect(await ask('k=v')).to.equal('over_limit: over_limit 0');
  });

  it('counts the same descriptor twice in one request: of 1, the second is over', async () => {
    const { ask } = journey('  - { key: k, rate_limit: { unit: hour, requests_per_unit: 1 } }');
    expect(await ask('k=v', 'k=v')).to.equal('over_limit: ok 0, over_limit 0');
  });

  it('blocks all but a look with a limit of 0, and the look as well after a refused hit', async () => {
    const { ask } = journey('  - { key: k, rate_limit: { unit: hour, requests_per_unit: 0 } }');
    expect(await ask(hits('k=v', 0))).to.equal('ok: ok 0');
    expect(await ask('k=v')).to.equal('over_limit: over_limit 0');
    expect(await ask(hits('k=v', 0))).to.equal('over_limit: over_limit 0');
  });

  it('resets sooner the second time: 20 a day, asked twice 2 s apart', async () => {
    const { decide, pass } = journey('  - { key: k, rate_limit: { unit: day, requests_per_unit: 20 } }');
    const first = await decide(request('d', ['k=v']));
    pass(2 * SECOND_US);
    const second = await decide(request('d', ['k=v']));
    expect(first.verdicts[0]!.resetAfterUs - second.verdicts[0]!.resetAfterUs).to.equal(2 * SECOND_US);
  });

  it('gives back at most what was taken: 2 taken, 5 given back, then 3 of 3 are left', async () => {
    const { ask } = journey('  - { key: k, rate_limit: { unit: hour, requests_per_unit: 3 } }');
    await ask(hits('k=v', 2));
    expect(await ask(descriptor('k=v', { hits: 5, refund: true }))).to.equal('ok: ok 3');
    expect(await times(4, () => ask('k=v'))).to.deep.equal([...oks(3), ...overs(1)]);
  });

  it('answers a refund by the state after it: 5 of 3, then 4', async () => {
    const { ask } = journey('  - { key: k, rate_limit: { unit: hour, requests_per_unit: 3 } }');
    await ask(hits('k=v', 5));
    expect(await ask(descriptor('k=v', { refund: true }))).to.equal('over_limit: over_limit 0');
    expect(await ask(descriptor('k=v', { refund: true }))).to.equal('ok: ok 0');
  });
});

describe('two limits in one request', () => {
  const RULES = `
  - { key: minute, rate_limit: { unit: minute, requests_per_unit: 20 } }
  - { key: hour, rate_limit: { unit: hour, requests_per_unit: 10 } }`;

  it('are both counted, also when one of them refuses: after 15 calls 5 of 20 are left', async () => {
    const { ask } = journey(RULES);
    expect(await times(15, () => ask('minute=v', 'hour=v'))).to.deep.equal([...oks(10), ...overs(5)]);
    expect(await ask(hits('minute=v', 0))).to.equal('ok: ok 5');
  });

  it('with stop_when_over are counted no further once one refuses: 10 of 20 are left', async () => {
    const { ask } = journey(RULES, { charge: 'stop_when_over' });
    expect(await times(15, () => ask('minute=v', 'hour=v'))).to.deep.equal([...oks(10), ...overs(5)]);
    expect(await ask(hits('minute=v', 0))).to.equal('ok: ok 10');
  });

  it('with stop_when_over: 15 and 14 an hour from 10, asked for 1, 2 and 2 hits', async () => {
    const { ask } = journey(
      `
  - { key: a, rate_limit: { unit: hour, requests_per_unit: 15 } }
  - { key: b, rate_limit: { unit: hour, requests_per_unit: 14 } }`,
      { charge: 'stop_when_over' },
    );
    await ask(hits('a=v', 10), hits('b=v', 10));
    expect(await ask('a=v', 'b=v')).to.equal('ok: ok 4, ok 3');
    expect(await ask(hits('a=v', 2), hits('b=v', 2))).to.equal('ok: ok 2, ok 1');
    expect(await ask(hits('a=v', 2), hits('b=v', 2))).to.equal('over_limit: ok 2, over_limit 0');
  });
});

describe('near, within and over', () => {
  const rows: readonly (readonly [limit: number, before: number, n: number, remaining: number, tally: string])[] = [
    [15, 10, 1, 4, 'within 1, near 0, over 0'],
    [15, 12, 1, 2, 'within 1, near 1, over 0'],
    [15, 15, 1, 0, 'within 0, near 0, over 1'],
    [20, 2, 3, 15, 'within 3, near 0, over 0'],
    [8, 5, 2, 1, 'within 2, near 1, over 0'],
    [20, 16, 3, 1, 'within 3, near 3, over 0'],
    [20, 19, 3, 0, 'within 0, near 1, over 2'],
    [20, 15, 7, 0, 'within 0, near 4, over 2'],
    [10, 27, 3, 0, 'within 0, near 0, over 3'],
    [10, 11, 0, 0, 'within 0, near 0, over 0'],
  ];
  for (const [limit, before, n, remaining, expected] of rows) {
    it(`are ${expected} for ${n} hits on ${before} of ${limit}`, async () => {
      const { decide } = journey(`  - { key: k, rate_limit: { unit: hour, requests_per_unit: ${limit} } }`);
      await decide(request('d', [hits('k=v', before)]));
      const { verdicts } = await decide(request('d', [hits('k=v', n)]));
      expect(verdicts[0]?.remaining).to.equal(remaining);
      const tally: Tally = { overLimit: 0, nearLimit: 0, withinLimit: 0, overLimitWithLocalCache: 0, shadowMode: 0 };
      addToTally(tally, verdicts[0]!.binding!.reading, n, limit, 0.8, false);
      expect(`within ${tally.withinLimit}, near ${tally.nearLimit}, over ${tally.overLimit}`).to.equal(expected);
    });
  }
});

describe('several limits on a rule', () => {
  const LIMITS = `  - key: k
    rate_limits:
      - { unit: minute, requests_per_unit: 3 }
      - { unit: hour, requests_per_unit: 5 }`;

  it('all have to admit: 3 in the 1st minute, 2 in the 2nd, none in the 3rd, where refusals are not counted', async () => {
    const { ask, pass } = journey(LIMITS, { countDenied: false });
    expect(await times(4, () => ask('k=v'))).to.deep.equal([...oks(3), ...overs(1)]);
    pass(60 * SECOND_US);
    expect(await ask('k=v')).to.equal('ok: ok 1');
    expect(await times(3, () => ask('k=v'))).to.deep.equal([...oks(1), ...overs(2)]);
    pass(60 * SECOND_US);
    expect(await ask('k=v')).to.equal('over_limit: over_limit 0');
    pass(58 * 60 * SECOND_US);
    expect(await ask('k=v')).to.equal('ok: ok 2');
  });

  it('all count what one of them refuses, unless told not to: the 6th call in an hour spends the hour', async () => {
    const { ask, pass } = journey(LIMITS);
    expect(await times(6, () => ask('k=v'))).to.deep.equal([...oks(3), ...overs(3)]);
    pass(60 * SECOND_US);
    expect(await ask('k=v')).to.equal('over_limit: over_limit 0');
  });

  it('are tried beside others: a shadow limit of 1 a minute refuses nothing', async () => {
    const { ask } = journey(`  - key: k
    rate_limits:
      - { unit: minute, requests_per_unit: 1, shadow_mode: true }
      - { unit: hour, requests_per_unit: 3 }`);
    expect(await times(4, () => ask('k=v'))).to.deep.equal([...oks(3), ...overs(1)]);
  });
});

describe('a shared threshold', () => {
  it('is one counter for all values of a pattern, and one for each without it', async () => {
    const { ask } = journey(`
  - { key: files, value: 'files/*', share_threshold: true, rate_limit: { unit: hour, requests_per_unit: 10 } }
  - { key: own, value: 'files/*', rate_limit: { unit: hour, requests_per_unit: 10 } }`);
    expect(await times(10, () => ask('files=files/a.pdf'))).to.deep.equal(oks(10));
    expect(await ask('files=files/b.csv')).to.equal('over_limit: over_limit 0');
    for (let i = 0; i < 10; i++) expect(await ask(`own=files/${i}`)).to.equal('ok: ok 9');
  });

  it('leaves a listed value its own counter: 50 for test1 beside 100 for test*', async () => {
    const { ask } = journey(`
  - { key: file, value: test1, rate_limit: { unit: hour, requests_per_unit: 50 } }
  - { key: file, value: 'test*', share_threshold: true, rate_limit: { unit: hour, requests_per_unit: 100 } }`);
    expect(await ask('file=test1')).to.equal('ok: ok 49');
    expect(await ask('file=test2')).to.equal('ok: ok 99');
    expect(await ask('file=test123')).to.equal('ok: ok 98');
    expect(await ask('file=test1')).to.equal('ok: ok 48');
  });
});

describe('replaces', () => {
  it('lifts a ban of 0 a minute by 2 a minute, where the request says so', async () => {
    const { ask } = journey(`
  - { key: banned, rate_limit: { unit: minute, requests_per_unit: 0, name: banned } }
  - { key: route, rate_limit: { unit: minute, requests_per_unit: 2, replaces: [{ name: banned }] } }`);
    expect(await ask('banned=bob')).to.equal('over_limit: over_limit 0');
    expect(await times(3, () => ask('banned=bob', 'route=x'))).to.deep.equal([...oks(2), ...overs(1)]);
    expect(await ask('banned=bob')).to.equal('over_limit: over_limit 0');
  });

  it('does not charge the rules it replaces: both have their 1 afterwards', async () => {
    const { ask } = journey(`
  - { key: user, rate_limit: { unit: minute, requests_per_unit: 1, name: user } }
  - { key: team, rate_limit: { unit: minute, requests_per_unit: 1, name: team } }
  - { key: route, rate_limit: { unit: minute, requests_per_unit: 4, replaces: [{ name: user }, { name: team }] } }`);
    const all = ['user=bob', 'team=red', 'route=x'];
    expect(await times(5, () => ask(...all))).to.deep.equal([...oks(4), ...overs(1)]);
    expect(await ask('user=bob')).to.equal('ok: ok 0');
    expect(await ask('team=red')).to.equal('ok: ok 0');
  });
});

describe('quotas', () => {
  const RULES = `
  - { key: service, value: '1', quota_mode: true, rate_limit: { unit: minute, requests_per_unit: 1 } }
  - { key: service, value: '2', quota_mode: true, rate_limit: { unit: minute, requests_per_unit: 2 } }
  - { key: tokens, quota_mode: true, rate_limit: { unit: minute, requests_per_unit: 2 } }`;

  it('refuse when all are spent: 1 and 2 a minute admit 2, and 2 more in the next minute', async () => {
    const { ask, pass } = journey(RULES);
    expect(await times(3, () => ask('service=1', 'service=2'))).to.deep.equal([...oks(2), ...overs(1)]);
    pass(60 * SECOND_US);
    expect(await times(3, () => ask('service=1', 'service=2'))).to.deep.equal([...oks(2), ...overs(1)]);
  });

  it('are looked at with 0 hits and charged afterwards: of 2, the 4th look refuses', async () => {
    const { ask } = journey(RULES);
    const outcomes: string[] = [];
    for (let call = 0; call < 4; call++) {
      const [looked] = await times(1, () => ask(hits('tokens=x', 0)));
      outcomes.push(looked!);
      if (looked === 'ok') await ask('tokens=x');
    }
    expect(outcomes).to.deep.equal([...oks(3), ...overs(1)]);
  });

  it('choose the service to charge: looks admit 2 times the 1st, 3 times the 2nd, and then refuse', async () => {
    const { ask } = journey(RULES);
    const charged: string[] = [];
    for (let call = 0; call < 6; call++) {
      const [outcome, statuses] = (await ask(hits('service=1', 0), hits('service=2', 0))).split(': ');
      if (outcome !== 'ok') break;
      const open = statuses!.split(', ').findIndex((status) => status.startsWith('ok'));
      charged.push(String(open + 1));
      await ask(`service=${open + 1}`);
    }
    expect(charged).to.deep.equal(['1', '1', '2', '2', '2']);
  });
});
