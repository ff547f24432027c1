import { type Counter, countsRefused, EMPTY, step } from '../core/algorithm/algorithm.ts';
import { usedAfter } from '../core/algorithm/fixed-window.ts';
import type { Hit, Reading } from '../core/decision.ts';
import { type Fate, fatesOf, oversOf, readingOf } from '../core/fate.ts';
import { isBucket, type Limit } from '../core/limit.ts';
import type { Charge, Store } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';
import { CounterTable, NONE } from './counter-table.ts';

const DEFAULT_MAX_KEYS = 1_000_000;

/** Buckets are kept until they are full, and up to an eighth of the time that a whole one takes longer. */
const BUCKET_ENDS = 8;
const LEAST_BETWEEN_ENDS_US = 2 ** 20;

export interface MemoryStoreOptions {
  /** Counters beyond it push out an ended one, else the least recently used. A million takes about 200 MB. */
  readonly maxKeys?: number;
}

export interface MemoryStore extends Store {
  /** Counters held now, ended ones that nobody has swept included. A sliding window has two. */
  readonly size: number;
}

/** Counts in this process alone. Never rejects. */
export function memoryStore({ maxKeys = DEFAULT_MAX_KEYS }: MemoryStoreOptions = {}): MemoryStore {
  const table = new CounterTable(maxKeys);

  function stored(key: string, nowUs: Micros): number {
    const slot = table.find(key, nowUs);
    return slot === NONE ? 0 : (table.main[slot] as number);
  }

  function counterOf({ key, previousKey, limit }: Hit, nowUs: Micros): Counter {
    if (!isBucket(limit.algorithm)) {
      return { main: stored(key, nowUs), rest: previousKey === '' ? 0 : stored(previousKey, nowUs) };
    }
    const slot = table.find(key, nowUs);
    return slot === NONE ? EMPTY : { main: table.main[slot] as number, rest: table.rest[slot] as number };
  }

  /** Only a charge makes a counter, or keeps one for longer. */
  function keep(hit: Hit, { main, rest }: Counter, nowUs: Micros): void {
    const slot = table.find(hit.key, nowUs);
    if (slot === NONE) {
      if (hit.cost > 0) table.add(hit.key, main, isBucket(hit.limit.algorithm) ? rest : 0, endOf(hit, main), nowUs);
      return;
    }
    table.main[slot] = main;
    if (isBucket(hit.limit.algorithm)) table.rest[slot] = rest;
    if (hit.cost > 0) table.extend(slot, endOf(hit, main));
  }

  /** A fixed window is what nearly all limits are, and needs one look at the table. */
  function countFixed(hit: Hit, nowUs: Micros): number {
    const slot = table.find(hit.key, nowUs);
    if (slot === NONE) {
      if (hit.cost <= 0) return 0;
      const used = usedAfter(0, hit.cost);
      table.add(hit.key, used, 0, hit.windowEndUs, nowUs);
      return used;
    }
    const used = usedAfter(table.main[slot] as number, hit.cost);
    table.main[slot] = used;
    if (hit.cost > 0) table.extend(slot, hit.windowEndUs);
    return used;
  }

  function charge(hit: Hit, nowUs: Micros): Reading {
    if (countsRefused(hit)) return { kind: 'counted', used: countFixed(hit, nowUs), charged: true, by: 'memory' };
    const before = counterOf(hit, nowUs);
    const { over, counter } = step(hit, before, nowUs);
    const refused = over && hit.cost > 0;
    if (hit.cost !== 0 && (!refused || counter.main < before.main)) keep(hit, counter, nowUs);
    return readingOf(hit, counter, refused ? 'refused' : 'charged', nowUs, 'memory');
  }

  /** A refused hit takes nothing, but what is stored may be moved back. */
  function lookBefore(hit: Hit, nowUs: Micros): Counter {
    const before = counterOf(hit, nowUs);
    if (countsRefused(hit) || hit.cost <= 0) return before;
    const { over, counter } = step(hit, before, nowUs);
    if (!over || counter.main >= before.main) return before;
    keep(hit, counter, nowUs);
    return counter;
  }

  /** Null where every hit is charged. */
  function fates(hits: readonly Hit[], charge: Charge, nowUs: Micros): readonly Fate[] | null {
    if (charge === 'always') return null;
    // One look a key, as the script does: hits of one key may have different limits.
    const looks = new Map<string, Counter>();
    for (const hit of hits) if (!looks.has(hit.key)) looks.set(hit.key, lookBefore(hit, nowUs));
    const before = hits.map(({ key }) => looks.get(key) as Counter);
    const overs = oversOf(hits, before, charge, (hit, counter) => step(hit, counter, nowUs));
    return fatesOf(hits, overs, charge);
  }

  function lookedAt(hit: Hit, fate: Fate, nowUs: Micros): Reading {
    if (hit.cost < 0) charge(hit, nowUs);
    return readingOf(hit, counterOf(hit, nowUs), fate, nowUs, 'memory');
  }

  return {
    get size() {
      return table.size;
    },
    take(hits, charging, nowUs) {
      table.sweep(nowUs);
      const fate = fates(hits, charging, nowUs);
      const readings: Reading[] = [];
      for (let i = 0; i < hits.length; i++) {
        const hit = hits[i] as Hit;
        const its = fate === null ? 'charged' : (fate[i] as Fate);
        readings.push(its === 'charged' ? charge(hit, nowUs) : lookedAt(hit, its, nowUs));
      }
      return Promise.resolve(readings);
    },
  };
}

/** When nobody needs the counter any more: a sliding window's weighs until the next one ends. */
function endOf({ limit, windowSeconds, windowEndUs }: Hit, main: number): Micros {
  if (limit.algorithm === 'sliding_window') return windowEndUs + windowSeconds * 1_000_000;
  return isBucket(limit.algorithm) ? endOfBucket(limit, main) : windowEndUs;
}

/** Every bucket is full at a time of its own, but the table wants counters that end together. */
function endOfBucket({ capacity, requestsPerUnit, windowSeconds }: Limit, tatUs: Micros): Micros {
  // Of a limit that was lowered to 0 nothing is kept that is new.
  const wantedUs = ((capacity / Math.max(1, requestsPerUnit)) * windowSeconds * 1_000_000) / BUCKET_ENDS;
  const betweenUs = wantedUs <= LEAST_BETWEEN_ENDS_US ? LEAST_BETWEEN_ENDS_US : 2 ** Math.floor(Math.log2(wantedUs));
  return (Math.floor(tatUs / betweenUs) + 1) * betweenUs;
}
