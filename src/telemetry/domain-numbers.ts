import type { Tally } from '../core/tally.ts';
import { type RuleLabels, ruleLabels, statName } from './labels.ts';

/** What is counted under one metric key. */
export interface Slot extends Tally {
  readonly key: string;
  readonly labels: RuleLabels;
  /** The key as a part of a statsd name. */
  readonly statName: string;
  totalHits: number;
  /** The key of a rule as it is written; such slots are outside the bound. */
  fixed: boolean;
}

/** What is counted for one domain. */
export interface DomainNumbers {
  readonly name: string;
  ok: number;
  overLimit: number;
  error: number;
  refundedHits: number;
  readonly slots: Map<string, Slot>;
  /** Slots that are not fixed. */
  varying: number;
  /** Where keys beyond the bound are counted. */
  readonly rest: Slot;
}

/** A caller may put anything into a key that varies; a longer one gets no series of its own. */
const MAX_VARYING_KEY_LENGTH = 512;

export function domainNumbers(name: string): DomainNumbers {
  return {
    name,
    ok: 0,
    overLimit: 0,
    error: 0,
    refundedHits: 0,
    slots: new Map(),
    varying: 0,
    rest: slot(`${name}._other`, false),
  };
}

/** The slot of a rule's own key. */
export function fixedSlot(domain: DomainNumbers, key: string): Slot {
  const known = domain.slots.get(key);
  if (known === undefined) {
    const made = slot(key, true);
    domain.slots.set(key, made);
    return made;
  }
  if (!known.fixed) {
    known.fixed = true;
    domain.varying--;
  }
  return known;
}

/** The slot of a key that the request had a part in; `rest` once `bound` such keys have their own. */
export function varyingSlot(domain: DomainNumbers, key: string, bound: number): Slot {
  const known = domain.slots.get(key);
  if (known !== undefined) return known;
  if (domain.varying >= bound || key.length > MAX_VARYING_KEY_LENGTH) return domain.rest;
  const made = slot(key, false);
  domain.slots.set(key, made);
  domain.varying++;
  return made;
}

/**
 * Slots of rules that are gone keep their numbers as far as the bound has room, so that a scrape after a reload still
 * tells them, and reloads without end don't fill the memory.
 */
export function retire(domain: DomainNumbers, isLive: (key: string) => boolean, bound: number): void {
  for (const each of domain.slots.values()) {
    if (!each.fixed || isLive(each.key)) continue;
    if (domain.varying >= bound) {
      domain.slots.delete(each.key);
    } else {
      each.fixed = false;
      domain.varying++;
    }
  }
}

function slot(key: string, fixed: boolean): Slot {
  return {
    key,
    labels: ruleLabels(key),
    statName: statName(key),
    totalHits: 0,
    overLimit: 0,
    nearLimit: 0,
    withinLimit: 0,
    overLimitWithLocalCache: 0,
    shadowMode: 0,
    fixed,
  };
}
