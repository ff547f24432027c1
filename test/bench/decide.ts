/** In one process, without a transport: what a decision and a match cost. Prints JSON; started by main.ts. */

import { systemClock } from '../../src/clock.ts';
import { match } from '../../src/core/match.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { type Limiter, limiter } from '../../src/limiter.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { MATCHING } from '../core/asking.ts';
import { compiled, DOMAIN, KINDS, requestOf, rulesOfKinds } from './kinds.ts';

const ROUNDS = 5;
const DECISIONS = 400_000;
const MATCHES = 2_000_000;

function rulesWith(siblings: number): Ruleset {
  const lines = [`domain: ${DOMAIN}`, 'descriptors:'];
  for (let i = 0; i < siblings; i++) {
    lines.push(`  - {key: user, value: u${i}, rate_limit: {unit: hour, requests_per_unit: 4000000000}}`);
  }
  return compiled(lines.join('\n'));
}

/** For up to `most` different users, spread over all siblings. */
function requests(siblings: number, most: number): readonly CheckRequest[] {
  const asked = Math.min(siblings, most);
  return Array.from({ length: asked }, (_, i) => ({
    domain: DOMAIN,
    hits: 0,
    descriptors: [
      {
        entries: [{ key: 'user', value: `u${Math.floor((i * siblings) / asked)}` }],
        limit: null,
        hits: null,
        refund: false,
      },
    ],
  }));
}

function limiterOf(ruleset: Ruleset): Limiter {
  return limiter(
    {
      ruleset: () => ruleset,
      store: memoryStore(),
      clock: systemClock(),
      observer: metrics({ nearLimitRatio: 0.8, process: false }),
    },
    { ...MATCHING, keyPrefix: '', charge: 'always', shadowMode: false, quotaMode: false },
  );
}

/** Microseconds of CPU per decision of each kind, in alternating rounds; the best of them. */
async function usOfKinds(): Promise<Record<string, number>> {
  const { decide } = limiterOf(compiled(rulesOfKinds()));
  const asked = KINDS.map((kind) => Array.from({ length: 1000 }, (_, i) => requestOf(kind, `u${i}`)));
  const best: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k, { name }] of KINDS.entries()) {
      const own = asked[k] as readonly CheckRequest[];
      const tookUs = await cpuUs(async () => {
        for (let i = 0; i < DECISIONS; i++) await decide(own[i % own.length] as CheckRequest);
      });
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, tookUs / DECISIONS);
    }
  }
  return best;
}

async function decisionsPerSecond(): Promise<number> {
  const { decide } = limiterOf(rulesWith(1000));
  const asked = requests(1000, 1000);
  return best(DECISIONS, async () => {
    for (let i = 0; i < DECISIONS; i++) await decide(asked[i % asked.length] as CheckRequest);
  });
}

async function matchesPerSecond(siblings: number): Promise<number> {
  const domain = rulesWith(siblings).domains.get(DOMAIN);
  const asked = requests(siblings, 10);
  let limited = 0;
  const perSecond = await best(MATCHES, async () => {
    for (let i = 0; i < MATCHES; i++) {
      if (match(domain, asked[i % asked.length] as CheckRequest, MATCHING)[0]?.kind === 'limited') limited++;
    }
  });
  if (limited !== ROUNDS * MATCHES) throw new Error(`only ${limited} of ${ROUNDS * MATCHES} were limited`);
  return perSecond;
}

/** Of CPU time, and the best of some rounds: what others do on the machine only ever adds. */
async function best(times: number, work: () => Promise<void>): Promise<number> {
  let leastUs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    leastUs = Math.min(leastUs, await cpuUs(work));
  }
  return Math.round((times / leastUs) * 1e6);
}

async function cpuUs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

console.log(
  JSON.stringify({
    decisionsPerSecond: await decisionsPerSecond(),
    matchesPerSecond: { 10: await matchesPerSecond(10), 100000: await matchesPerSecond(100_000) },
    usOfKinds: await usOfKinds(),
  }),
);
