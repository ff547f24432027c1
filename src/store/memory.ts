import { costsWhenStopping, usedAfter } from '../core/algorithm/fixed-window.ts';
import type { Hit, Reading } from '../core/decision.ts';
import type { Charge, Store } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';
import { CounterTable, NONE } from './counter-table.ts';

const DEFAULT_MAX_KEYS = 1_000_000;

export interface MemoryStoreOptions {
  /** Counters beyond it push out an ended one, else the least recently used. A million takes about 200 MB. */
  readonly maxKeys?: number;
}

export interface MemoryStore extends Store {
  /** Counters held now, ended ones that nobody has swept included. */
  readonly size: number;
}

/** Counts in this process alone. Never rejects. */
export function memoryStore({ maxKeys = DEFAULT_MAX_KEYS }: MemoryStoreOptions = {}): MemoryStore {
  const table = new CounterTable(maxKeys);

  function look(hit: Hit, nowUs: Micros): number {
    const slot = table.find(hit.key, nowUs);
    return slot === NONE ? 0 : (table.used[slot] as number);
  }

  function count(hit: Hit, cost: number, nowUs: Micros): number {
    const slot = table.find(hit.key, nowUs);
    if (slot === NONE) {
      if (cost <= 0) return 0;
      const used = usedAfter(0, cost);
      table.add(hit.key, used, hit.windowEndUs, nowUs);
      return used;
    }
    const used = usedAfter(table.used[slot] as number, cost);
    table.used[slot] = used;
    if (cost > 0) table.extend(slot, hit.windowEndUs);
    return used;
  }

  function costsOf(hits: readonly Hit[], charge: Charge, nowUs: Micros): readonly number[] | null {
    // A hit without siblings is charged whether it goes over or not.
    if (charge === 'always' || hits.length < 2) return null;
    return costsWhenStopping(
      hits,
      hits.map((hit) => look(hit, nowUs)),
    );
  }

  return {
    get size() {
      return table.size;
    },
    take(hits, charge, nowUs) {
      table.sweep(nowUs);
      const costs = costsOf(hits, charge, nowUs);
      const readings: Reading[] = [];
      for (let i = 0; i < hits.length; i++) {
        const hit = hits[i] as Hit;
        const cost = costs === null ? hit.cost : (costs[i] as number);
        readings.push({ kind: 'counted', used: count(hit, cost, nowUs), charged: cost === hit.cost, by: 'memory' });
      }
      return Promise.resolve(readings);
    },
  };
}
