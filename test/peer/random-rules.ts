import type { Recorded } from '../oracle/scenario.ts';

/** Numbers that look random and are the same for the same seed (mulberry32). */
export interface Dice {
  /** 0 to n-1. */
  below(n: number): number;
  chance(part: number): boolean;
  pick<T>(list: readonly T[]): T;
}

export function dice(seed: number): Dice {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    below: (n) => Math.floor(next() * n),
    chance: (part) => next() < part,
    pick: (list) => list[Math.floor(next() * list.length)] as (typeof list)[number],
  };
}

const KEYS = ['user', 'path', 'plan', 'remote_address'] as const;
const VALUES = ['ann', 'bob', 'ab', '10.0.0.1', '/a/b', 'x:y|z'] as const;
/** A star elsewhere is younger than the Go service that can be installed. */
const PATTERNS = ['a*', '/a*', '10.*'] as const;
/** Long ones: the two services must see the same window. */
const UNITS = ['hour', 'day', 'month', 'year'] as const;

export interface Mix {
  /** Descriptors in a request at most. */
  readonly descriptors: number;
  readonly shadow: boolean;
}

/** One file of rules as JSON, which is YAML too: only what both services know. */
export function randomRules(domain: string, { below, chance, pick }: Dice, { shadow }: Mix): string {
  let named = 0;

  function rules(depth: number): object[] {
    const texts = new Set<string>();
    const made: object[] = [];
    for (let i = 1 + below(4); i > 0; i--) {
      const key = pick(KEYS);
      const value = chance(0.4) ? '' : chance(0.3) ? pick(PATTERNS) : pick(VALUES);
      if (texts.has(`${key}_${value}`)) continue;
      texts.add(`${key}_${value}`);
      made.push(rule(key, value, depth));
    }
    return made;
  }

  function rule(key: string, value: string, depth: number): object {
    const limited = chance(0.8);
    return {
      key,
      ...(value === '' ? {} : { value }),
      ...(limited ? { rate_limit: limit() } : {}),
      ...(depth < 3 && chance(0.5) ? { descriptors: rules(depth + 1) } : {}),
      ...(limited && shadow && chance(0.15) ? { shadow_mode: true } : {}),
      ...(limited && chance(0.15) ? { detailed_metric: true } : {}),
      ...(chance(0.15) ? { value_to_metric: true } : {}),
      ...(value.includes('*') && chance(0.4) ? { share_threshold: true } : {}),
    };
  }

  function limit(): object {
    if (chance(0.1)) return { unlimited: true };
    const other = named > 0 && chance(0.3) ? { replaces: [{ name: `limit-${below(named)}` }] } : {};
    const name = chance(0.5) ? { name: `limit-${named++}` } : {};
    return { unit: pick(UNITS), requests_per_unit: below(8), ...name, ...other };
  }

  return JSON.stringify({ domain, descriptors: rules(1) });
}

const WIRE_UNITS = ['HOUR', 'DAY', 'MONTH', 'YEAR'] as const;

/** A request as proto3 JSON. */
export function randomRequest(domains: readonly string[], { below, chance, pick }: Dice, mix: Mix): Recorded {
  const descriptors = Array.from({ length: 1 + below(mix.descriptors) }, () => ({
    entries: Array.from({ length: 1 + below(3) }, () => ({ key: pick(KEYS), value: chance(0.1) ? '' : pick(VALUES) })),
    ...(chance(0.1) ? { limit: { requestsPerUnit: below(6), unit: pick(WIRE_UNITS) } } : {}),
    ...(chance(0.2) ? { hitsAddend: below(4) } : {}),
  }));
  return {
    domain: chance(0.03) ? 'unknown' : pick(domains),
    descriptors,
    ...(chance(0.3) ? { hitsAddend: below(4) } : {}),
  };
}
