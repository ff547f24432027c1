import { countsRefused } from '../core/algorithm/algorithm.ts';
import { isOver } from '../core/algorithm/fixed-window.ts';
import type { Hit, Reading } from '../core/decision.ts';
import { isDenied, tellsOver, uncharged } from '../core/denial.ts';
import type { Caller, Charge, Store } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';

/** A smaller setting is raised to it, as in the Go service, whose cache knows no smaller one. */
const LEAST_BYTES = 512 * 1024;

/** What an entry takes beside the text of its key: a place in the map, its numbers, headers. Rounded up. */
const ENTRY_BYTES = 128;

/** When only the number of entries is bounded, their long keys must be too. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_AGE_MS = 1_000;

export interface OverLimitCacheOptions {
  /** For keys and what belongs to them. Beyond it the oldest entry goes. */
  readonly maxBytes?: number | undefined;
  /** Beyond it the oldest entry goes. */
  readonly maxEntries?: number | undefined;
  /** For so long it may refuse what another process has refunded since. */
  readonly maxAgeMs?: number | undefined;
}

/** Counted up from the start, but for `entryCount`, which is now. */
export interface OverLimitCacheStats {
  readonly entryCount: number;
  readonly lookupCount: number;
  /** Answered from here. */
  readonly hitCount: number;
  /** Passed on: not there, ended, too old, judged by another limit, or it may still fit. */
  readonly missCount: number;
  /** Remembered anew while still there. */
  readonly overwriteCount: number;
  /** Pushed out for want of room. */
  readonly evacuateCount: number;
  /** Found after their window had ended, or too old. */
  readonly expiredCount: number;
}

export interface OverLimitCache extends Store {
  readonly stats: OverLimitCacheStats;
}

interface Entry {
  readonly requestsPerUnit: number;
  readonly capacity: number;
  /** What costs less may still fit. */
  readonly leastCost: number;
  readonly sinceUs: Micros;
  /** Of a fixed window its end; else when `leastCost` would be admitted, if nobody gives back. */
  readonly untilUs: Micros;
}

const ASSUMED = { kind: 'assumed', outcome: 'over_limit', because: 'over_limit_cache' } as const;

/**
 * Remembers what was refused, or was over by a shadow rule, and answers for hits that must fare alike: without the inner
 * store, and so without counting. Only until the window ends, or until that cost would be admitted where windows don't
 * say; only for the limit it was judged by, not when the entry is too old, and not after a refund. A hit that costs more
 * than what was refused is told the time of that, at which it has to ask.
 */
export function overLimitCache(inner: Store, options: OverLimitCacheOptions): OverLimitCache {
  const entries = overLimitEntries(options);

  function knownOf(hit: Hit, nowUs: Micros): Reading | null {
    if (hit.cost >= 0) {
      const entry = entries.find(hit, nowUs);
      return entry === null ? null : { ...ASSUMED, resetAfterUs: entry.untilUs - nowUs };
    }
    entries.drop(hit.key);
    return null;
  }

  function remember(hits: readonly Hit[], readings: readonly Reading[], nowUs: Micros): void {
    hits.forEach((hit, i) => {
      const reading = readings[i];
      // A charge sent before the refund may have been remembered in between, and its answer is the older one.
      if (hit.cost < 0) entries.drop(hit.key);
      else if (reading?.kind === 'counted' && goesOver(hit, reading)) entries.add(hit, reading, nowUs);
    });
  }

  async function ask(request: Request): Promise<readonly Reading[]> {
    const { hits, charge, nowUs, caller } = request;
    const readings = await inner.take(hits, charge, nowUs, caller);
    remember(hits, readings, nowUs);
    return readings;
  }

  /** For the siblings of a hit that is known to refuse the request. A refund is given back in any case. */
  async function look({ hits, nowUs, caller }: Request): Promise<readonly Reading[]> {
    const looks = hits.map((hit) => (hit.cost > 0 ? { ...hit, cost: 0 } : hit));
    const readings = (await inner.take(looks, 'always', nowUs, caller)).map((reading, i) => {
      if (reading.kind === 'assumed') return reading;
      const hit = hits[i] as Hit;
      const { used, by, resetAfterUs } = reading;
      const found = uncharged(hit, used, isOver(used + Math.max(0, hit.cost), hit.limit.capacity), by);
      // What a look told is not when this cost would be admitted.
      return resetAfterUs === undefined || tellsOver(found, hit) ? found : { ...found, resetAfterUs };
    });
    remember(hits, readings, nowUs);
    return readings;
  }

  async function askForTheRest(request: Request, known: readonly (Reading | null)[]): Promise<readonly Reading[]> {
    const { hits, charge } = request;
    const rest = { ...request, hits: hits.filter((_, i) => known[i] === null) };
    // Quotas that are known to be over leave the others to tell whether all are.
    const refused =
      charge !== 'always' &&
      isDenied(
        hits,
        known.map((reading) => reading !== null),
      );
    const readings = await (refused ? look(rest) : ask(rest));
    let next = 0;
    return known.map((reading) => reading ?? (readings[next++] as Reading));
  }

  return {
    stats: entries.stats,
    take(hits, charge, nowUs, caller) {
      const known = hits.map((hit) => knownOf(hit, nowUs));
      const request = { hits, charge, nowUs, caller };
      const found = known.filter((reading) => reading !== null);
      if (found.length === 0) return ask(request);
      return found.length === hits.length ? Promise.resolve(found) : askForTheRest(request, known);
    },
  };
}

type Counted = Extract<Reading, { kind: 'counted' }>;

interface Request {
  readonly hits: readonly Hit[];
  readonly charge: Charge;
  readonly nowUs: Micros;
  readonly caller: Caller | undefined;
}

/** From where the counter stands now: the same hit again, or any when it is over already. */
function goesOver(hit: Hit, { used, charged }: Counted): boolean {
  return isOver(charged ? used : used + hit.cost, hit.limit.capacity);
}

function overLimitEntries({ maxBytes: asked, maxEntries = Number.POSITIVE_INFINITY, maxAgeMs }: OverLimitCacheOptions) {
  const maxBytes = asked === undefined ? DEFAULT_MAX_BYTES : Math.max(asked, LEAST_BYTES);
  const maxAgeUs = (maxAgeMs ?? DEFAULT_MAX_AGE_MS) * 1_000;
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

  /** A clock that was set back must not make an entry live longer. */
  function hasExpired({ sinceUs, untilUs }: Entry, nowUs: Micros): boolean {
    return untilUs <= nowUs || Math.abs(nowUs - sinceUs) >= maxAgeUs;
  }

  return {
    stats: stats as OverLimitCacheStats,
    drop,
    find(hit: Hit, nowUs: Micros): Entry | null {
      let entry = entries.get(hit.key);
      if (entry !== undefined && hasExpired(entry, nowUs)) {
        drop(hit.key);
        stats.expiredCount++;
        entry = undefined;
      }
      const { capacity, requestsPerUnit } = hit.limit;
      if (entry?.capacity === capacity && entry.requestsPerUnit === requestsPerUnit && hit.cost >= entry.leastCost) {
        stats.hitCount++;
        return entry;
      }
      stats.missCount++;
      return null;
    },
    add(hit: Hit, { used, resetAfterUs }: Counted, nowUs: Micros): void {
      // Without the time at which it would be admitted nobody knows how long it holds.
      if (resetAfterUs === undefined && !countsRefused(hit)) return;
      const size = bytesOf(hit.key);
      if (size > maxBytes) return;
      if (drop(hit.key)) stats.overwriteCount++;
      while (bytes + size > maxBytes || entries.size >= maxEntries) {
        dropOldest();
        stats.evacuateCount++;
      }
      bytes += size;
      const { capacity, requestsPerUnit } = hit.limit;
      // A counter of a fixed window only grows, but for refunds; any other falls while time passes.
      const leastCost = countsRefused(hit) ? capacity + 1 - used : hit.cost;
      const untilUs = resetAfterUs === undefined ? hit.windowEndUs : nowUs + resetAfterUs;
      entries.set(hit.key, { requestsPerUnit, capacity, leastCost, sinceUs: nowUs, untilUs });
    },
  };
}

/** Texts beyond Latin-1 take two bytes a character; a key is not read through to know. */
function bytesOf(key: string): number {
  return ENTRY_BYTES + 2 * key.length;
}
