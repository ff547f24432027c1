import { isOver } from '../core/algorithm/fixed-window.ts';
import type { Hit, Reading } from '../core/decision.ts';
import type { Charge, Store } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';

/** A smaller setting is raised to it, as in the Go service, whose cache knows no smaller one. */
const LEAST_BYTES = 512 * 1024;

/** What an entry takes beside the text of its key: a place in the map, its numbers, headers. Rounded up. */
const ENTRY_BYTES = 128;

export interface OverLimitCacheOptions {
  /** For keys and what belongs to them. Beyond it the oldest entry goes. */
  readonly maxBytes: number;
}

/** Counted up from the start, but for `entryCount`, which is now. */
export interface OverLimitCacheStats {
  readonly entryCount: number;
  readonly lookupCount: number;
  /** Answered from here. */
  readonly hitCount: number;
  /** Passed on: not there, ended, or judged by another limit. */
  readonly missCount: number;
  /** Remembered anew while still there. */
  readonly overwriteCount: number;
  /** Pushed out for want of room. */
  readonly evacuateCount: number;
  /** Found after their window had ended. */
  readonly expiredCount: number;
}

export interface OverLimitCache extends Store {
  readonly stats: OverLimitCacheStats;
}

interface Entry {
  readonly requestsPerUnit: number;
  readonly endUs: Micros;
}

const ASSUMED: Reading = { kind: 'assumed', outcome: 'over_limit', because: 'over_limit_cache' };

/**
 * Remembers counters that were found over, shadow rules' too, and answers for them until their window ends: without the
 * inner store, and so without counting. Only for the limit they were judged by, and not after a refund.
 */
export function overLimitCache(inner: Store, { maxBytes }: OverLimitCacheOptions): OverLimitCache {
  const entries = overLimitEntries(Math.max(maxBytes, LEAST_BYTES));

  /** Null where the inner store must be asked. */
  function known(hits: readonly Hit[], nowUs: Micros): readonly (Reading | null)[] {
    return hits.map((hit) => {
      if (hit.cost < 0) {
        entries.drop(hit.key);
        return null;
      }
      return entries.find(hit, nowUs) ? ASSUMED : null;
    });
  }

  function remember(hits: readonly Hit[], readings: readonly Reading[]): void {
    hits.forEach((hit, i) => {
      const reading = readings[i];
      // A charge sent before the refund may have been remembered in between, and its answer is the older one.
      if (hit.cost < 0) entries.drop(hit.key);
      else if (reading?.kind === 'counted' && isOver(reading.used, hit.limit.requestsPerUnit)) entries.add(hit);
    });
  }

  async function ask(hits: readonly Hit[], charge: Charge, nowUs: Micros): Promise<readonly Reading[]> {
    const readings = await inner.take(hits, charge, nowUs);
    remember(hits, readings);
    return readings;
  }

  async function askForTheRest(
    hits: readonly Hit[],
    answers: readonly (Reading | null)[],
    charge: Charge,
    nowUs: Micros,
  ): Promise<readonly Reading[]> {
    const stops = charge === 'stop_when_over' && hits.some((hit, i) => answers[i] !== null && !hit.shadow);
    const rest = hits.filter((_, i) => answers[i] === null);
    const asked = await ask(stops ? rest.map((hit) => ({ ...hit, cost: 0 })) : rest, charge, nowUs);
    let next = 0;
    return answers.map((answer) => answer ?? (asked[next++] as Reading));
  }

  return {
    stats: entries.stats,
    take(hits, charge, nowUs) {
      const answers = known(hits, nowUs);
      if (answers.every((answer) => answer === null)) return ask(hits, charge, nowUs);
      if (answers.every((answer) => answer !== null)) return Promise.resolve(answers as readonly Reading[]);
      return askForTheRest(hits, answers, charge, nowUs);
    },
  };
}

function overLimitEntries(maxBytes: number) {
  const entries = new Map<string, Entry>();
  let bytes = 0;
  // One iterator that only goes forward: a new one would walk over everything deleted since the last rehash.
  let oldest = entries.keys();
  const stats = {
    get entryCount() {
      return entries.size;
    },
    get lookupCount() {
      return stats.hitCount + stats.missCount;
    },
    hitCount: 0,
    missCount: 0,
    overwriteCount: 0,
    evacuateCount: 0,
    expiredCount: 0,
  };

  function drop(key: string): boolean {
    const dropped = entries.delete(key);
    if (dropped) bytes -= bytesOf(key);
    return dropped;
  }

  function dropOldest(): void {
    let { value, done } = oldest.next();
    if (done) {
      oldest = entries.keys();
      ({ value, done } = oldest.next());
    }
    if (!done) drop(value as string);
  }

  return {
    stats: stats as OverLimitCacheStats,
    drop,
    find(hit: Hit, nowUs: Micros): boolean {
      const entry = entries.get(hit.key);
      const expired = entry !== undefined && entry.endUs <= nowUs;
      if (expired) {
        drop(hit.key);
        stats.expiredCount++;
      }
      const found = entry !== undefined && !expired && entry.requestsPerUnit === hit.limit.requestsPerUnit;
      if (found) stats.hitCount++;
      else stats.missCount++;
      return found;
    },
    add(hit: Hit): void {
      const size = bytesOf(hit.key);
      if (size > maxBytes) return;
      if (drop(hit.key)) stats.overwriteCount++;
      while (bytes + size > maxBytes) {
        dropOldest();
        stats.evacuateCount++;
      }
      bytes += size;
      entries.set(hit.key, { requestsPerUnit: hit.limit.requestsPerUnit, endUs: hit.windowEndUs });
    },
  };
}

/** Texts beyond Latin-1 take two bytes a character; a key is not read through to know. */
function bytesOf(key: string): number {
  return ENTRY_BYTES + 2 * key.length;
}
