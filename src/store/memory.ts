import { type Fate, fatesOf, oversOf, usedAfter } from '../core/algorithm/fixed-window.ts';
import type { Hit, Reading } from '../core/decision.ts';
import { uncharged } from '../core/denial.ts';
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

  /** Null where every hit is charged. */
  function fates(hits: readonly Hit[], charge: Charge, nowUs: Micros): readonly Fate[] | null {
    if (charge === 'always') return null;
    const before = hits.map((hit) => look(hit, nowUs));
    return fatesOf(hits, oversOf(hits, before, charge), charge);
  }

  function lookedAt(hit: Hit, fate: Fate, nowUs: Micros): Reading {
    const used = hit.cost < 0 ? count(hit, hit.cost, nowUs) : look(hit, nowUs);
    return uncharged(hit, used, fate === 'would_go_over', 'memory');
  }

  return {
    get size() {
      return table.size;
    },
    take(hits, charge, nowUs) {
      table.sweep(nowUs);
      const fate = fates(hits, charge, nowUs);
      const readings: Reading[] = [];
      for (let i = 0; i < hits.length; i++) {
        const hit = hits[i] as Hit;
        if (fate === null || fate[i] === 'charged') {
          readings.push({ kind: 'counted', used: count(hit, hit.cost, nowUs), charged: true, by: 'memory' });
        } else {
          readings.push(lookedAt(hit, fate[i] as Fate, nowUs));
        }
      }
      return Promise.resolve(readings);
    },
  };
}
