/** In one process, without a transport: what a decision and a match cost. Prints JSON; started by main.ts. */

import { systemClock } from '../../src/clock.ts';
import { match } from '../../src/core/match.ts';
import type { Observer } from '../../src/core/ports.ts';
import type { CheckRequest } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';
import { limiter } from '../../src/limiter.ts';
import { compile } from '../../src/rules/compile.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { metrics } from '../../src/telemetry/metrics.ts';
import { MATCHING } from '../core/asking.ts';

const ROUNDS = 5;
const DECISIONS = 400_000;
const MATCHES = 2_000_000;

function rulesWith(siblings: number): Ruleset {
  const lines = ['domain: bench', 'descriptors:'];
  for (let i = 0; i < siblings; i++) {
    lines.push(`  - {key: user, value: u${i}, rate_limit: {unit: hour, requests_per_unit: 4000000000}}`);
  }
  const compiled = compile([{ name: 'bench.yaml', text: lines.join('\n') }], { mergeDomains: false, generation: 1 });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.ruleset;
}

/** For up to `most` different users, spread over all siblings. */
function requests(siblings: number, most: number): readonly CheckRequest[] {
  const asked = Math.min(siblings, most);
  return Array.from({ length: asked }, (_, i) => ({
    domain: 'bench',
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

async function decisionsPerSecond(observer: Observer): Promise<number> {
  const ruleset = rulesWith(1000);
  const { decide } = limiter(
    { ruleset: () => ruleset, store: memoryStore(), clock: systemClock(), observer },
    { ...MATCHING, keyPrefix: '', charge: 'always', shadowMode: false, quotaMode: false },
  );
  const asked = requests(1000, 1000);
  return best(DECISIONS, async () => {
    for (let i = 0; i < DECISIONS; i++) await decide(asked[i % asked.length] as CheckRequest);
  });
}

async function matchesPerSecond(siblings: number): Promise<number> {
  const domain = rulesWith(siblings).domains.get('bench');
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
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    leastUs = Math.min(leastUs, user + system);
  }
  return Math.round((times / leastUs) * 1e6);
}

console.log(
  JSON.stringify({
    decisionsPerSecond: await decisionsPerSecond(metrics({ nearLimitRatio: 0.8, process: false })),
    matchesPerSecond: { 10: await matchesPerSecond(10), 100000: await matchesPerSecond(100_000) },
  }),
);
