import type { Algorithm } from '../../src/core/limit.ts';
import { replay } from './replay.ts';

/** 100 a minute, asked by a caller who knows where the minute ends. */
export const LIMIT = 100;
export const WINDOW_SECONDS = 60;
export const TRACE_SECONDS = 240;

export const ALGORITHMS: readonly Algorithm[] = ['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket'];

const RULES = `
domain: trace
descriptors:
${ALGORITHMS.map((algorithm) => `  - { key: ${algorithm}, rate_limit: { unit: minute, requests_per_unit: ${LIMIT}, algorithm: ${algorithm} } }`).join('\n')}
`;

/**
 * When hits arrive, in milliseconds: one each 50 ms for 5 s before the end of the first minute and as many after it, and
 * from then on one each 250 ms, which is more than twice what the limit admits.
 */
export function arrivals(): readonly number[] {
  const edge = WINDOW_SECONDS * 1_000;
  const burst = Array.from({ length: 200 }, (_, i) => edge - 5_000 + 50 * i);
  const steady = Array.from({ length: (TRACE_SECONDS - 70) * 4 }, (_, i) => 70_000 + 250 * i);
  return [...burst, ...steady];
}

/** Which arrivals an algorithm admits, in milliseconds, by the limiter of the service. */
export async function admitted(algorithm: Algorithm): Promise<readonly number[]> {
  const ask = replay(RULES);
  const passed: number[] = [];
  for (const ms of arrivals()) if ((await ask(algorithm, ms)).outcome === 'ok') passed.push(ms);
  return passed;
}

/** The most of `times` that lie in any span of so many milliseconds, its start excluded. */
export function mostWithin(times: readonly number[], spanMs: number): number {
  let most = 0;
  let first = 0;
  for (const [i, ms] of times.entries()) {
    while ((times[first] as number) <= ms - spanMs) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}
