import { expect } from 'chai';
import { goService } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { loadDifferences } from '../oracle/differences.ts';
import type { Recorded } from '../oracle/scenario.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { dice, type Mix, randomRequest, randomRules } from './random-rules.ts';
import { counters, lives, ruleSeries, type Side, side } from './side-by-side.ts';

const WEIR = `${process.execPath} dist/main.js serve`;
const SETS = 10;
const REQUESTS = 670;
const BUILD_MS = 300_000;
const GROUP_MS = 120_000;
/** The Go service tells its metrics every ten seconds. */
const METRICS_MS = 25_000;
const SEED = Number(process.env.PEER_SEED ?? 20_261_121);

interface Group extends Mix {
  readonly env: Readonly<Record<string, string>>;
}

const ALL: Mix = { descriptors: 3, shadow: true };
const GROUPS: Readonly<Record<string, Group>> = {
  'as they come': { ...ALL, env: {} },
  // Which of several limits headers describe, and that shadow rules never are, is the difference `headers`.
  'with headers, a prefix and other near limits': {
    descriptors: 1,
    shadow: false,
    env: { LIMIT_RESPONSE_HEADERS_ENABLED: 'true', CACHE_KEY_PREFIX: 'prefix:', NEAR_LIMIT_RATIO: '0.5' },
  },
  'in shadow mode, with dynamic metadata': {
    ...ALL,
    env: { SHADOW_MODE: 'true', RESPONSE_DYNAMIC_METADATA: 'true' },
  },
};

/** What is left out of the comparison, by the difference that excuses it. */
const EXCUSED = {
  /** The Go service creates a counter of 0 when it is asked to look. */
  peek: (value: string): boolean => value === '0',
  /** It has a series for every domain that it does not know, and weir one for all of them. */
  series: (series: string): boolean => series.startsWith('ratelimit_service_rate_limit_unknown_'),
} as const;

describe('weir and the Go service, side by side', () => {
  let go: string;
  before('build the Go service', async function () {
    this.timeout(BUILD_MS);
    needsRedis(this);
    go = await orSkip(this, goService);
  });

  it('differ only where the differences file says so', () => {
    const ids = loadDifferences().map(({ id }) => id);
    expect([...Object.keys(EXCUSED), 'headers'].filter((id) => !ids.includes(id))).to.deep.equal([]);
  });

  for (const [i, [name, group]] of Object.entries(GROUPS).entries()) {
    describe(name, () => {
      const { env } = group;
      const random = dice(SEED + i);
      const domains = Array.from({ length: SETS }, (_, n) => `domain-${n}`);
      const rules = Object.fromEntries(domains.map((domain) => [`${domain}.yaml`, randomRules(domain, random, group)]));
      const requests = Array.from({ length: REQUESTS }, () => randomRequest(domains, random, group));
      let sides: readonly [go: Side, weir: Side];

      before(async function () {
        this.timeout(GROUP_MS);
        sides = [await side({ command: go, rules, env }), await side({ command: WEIR, rules, env })];
      });
      after(() => Promise.all((sides ?? []).map((each) => each.stop())));

      it(`answer ${REQUESTS} random requests over ${SETS} random rule sets alike (seed ${SEED + i})`, async function () {
        this.timeout(GROUP_MS);
        for (const [n, request] of requests.entries()) {
          const answers = await bothAnswer(sides, request);
          expect(answers.weir, `request ${n}: ${JSON.stringify(request)}`).to.deep.equal(answers.go);
        }
      });

      it('have the same counters in Redis, with the same value and time to live', async () => {
        const [ofGo, ofWeir] = await Promise.all(
          sides.map(async ({ redis }) => without(await counters(redis.client), (_, value) => EXCUSED.peek(value))),
        );
        expect(ofWeir).to.deep.equal(ofGo);
        expect(Object.keys(ofGo ?? {}).length).to.be.at.least(50);
        const [goLives, weirLives] = await Promise.all(sides.map(({ redis }) => lives(redis.client)));
        for (const [key, life] of Object.entries(weirLives ?? {})) expect(life, key).to.be.closeTo(goLives![key]!, 30);
      });

      it('tell the same numbers of rules', async function () {
        this.timeout(METRICS_MS + 5_000);
        const [ofGo, ofWeir] = sides;
        await eventually(
          'the Go service to tell its metrics',
          async () => {
            const told = without(await ruleSeries(ofGo.server), EXCUSED.series);
            expect(await ruleSeries(ofWeir.server)).to.deep.equal(told);
            return true;
          },
          METRICS_MS,
        );
        expect(Object.keys(await ruleSeries(ofWeir.server)).length).to.be.at.least(20);
      });
    });
  }

  it('count together on one Redis: 600 calls to both at once, 300 admitted of 300 an hour', async function () {
    this.timeout(GROUP_MS);
    const rules = {
      'one.yaml': JSON.stringify({
        domain: 'one',
        descriptors: [{ key: 'user', rate_limit: { unit: 'hour', requests_per_unit: 300 } }],
      }),
    };
    const first = await side({ command: go, rules, env: {} });
    const second = await side({ command: WEIR, rules, env: {}, redis: first.redis }).catch(async (error) => {
      await first.stop();
      throw error;
    });
    try {
      const request = { domain: 'one', descriptors: [{ entries: [{ key: 'user', value: 'ann' }] }] };
      const answers = await Promise.all(
        Array.from({ length: 600 }, (_, n) => [first, second][n % 2]!.caller.shouldRateLimit(request)),
      );
      const admitted = answers.filter((answer) => 'response' in answer && answer.response.overallCode === 'OK');
      expect(admitted.length).to.equal(300);
      expect(Object.values(await counters(first.redis.client))).to.deep.equal(['600']);
    } finally {
      await second.stop();
      await first.stop();
    }
  });
});

async function bothAnswer([go, weir]: readonly [Side, Side], request: Recorded) {
  const [ofGo, ofWeir] = await Promise.all([go.caller.shouldRateLimit(request), weir.caller.shouldRateLimit(request)]);
  return { go: rounded(ofGo), weir: rounded(ofWeir) };
}

function without<T>(
  all: Readonly<Record<string, T>>,
  excused: (name: string, value: T) => boolean,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => !excused(name, value)));
}

/** Times left are told apart by a second when the clock moves on between the two calls, so they are rounded to 10. */
function rounded(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (key, value) => {
    // The service that is recorded in test/oracle, which is younger, does not tell it.
    if (key === 'quotaModeEnabled') return undefined;
    if (key === 'durationUntilReset') return Math.round(Number.parseInt(value, 10) / 10);
    if (value?.key === 'RateLimit-Reset') return { ...value, value: Math.round(Number.parseInt(value.value, 10) / 10) };
    return value;
  });
}
