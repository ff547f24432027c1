import { createHash } from 'node:crypto';
import type { Micros } from '../core/request.ts';

/** Instead of a slot: there is none. */
export const NONE = -1;

// V8 can't hold more entries than 2^24 in one Map.
const MOST_KEYS = 16_000_000;

/** Slots of ended windows that one call gives back, so that the end of a big window never stops the process. */
const SWEPT_AT_ONCE = 32;

/** A longer key is kept as its SHA-256, which no honest or other caller makes twice. */
const LONGEST_KEY = 512;

interface Window {
  readonly endUs: Micros;
  /** First of the slots that end here. */
  head: number;
}

const NEVER: Window = { endUs: Number.POSITIVE_INFINITY, head: NONE };

/**
 * Counters by key, at most `maxKeys` of them. When it is full, a counter whose window has ended goes first, then the one
 * that was not asked for longest.
 *
 * One Map from key to slot and plain numbers in typed arrays: two linked lists (by use, by window) cost 36 bytes a
 * counter, and the garbage collector never walks them.
 */
export class CounterTable {
  /** By slot. What it means is up to those who ask. */
  readonly main: Float64Array;
  /** By slot: a second number, an integer of 32 bits. */
  readonly rest: Int32Array;
  readonly #maxKeys: number;
  readonly #slots = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #ends: Float64Array;
  /** Neighbours by use; `older` also chains the free slots. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = NONE;
  #oldest = NONE;
  #free = NONE;
  /** Neighbours that end at the same time. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** By end, the soonest last. */
  readonly #windows: Window[] = [];
  #soonest: Window = NEVER;

  constructor(maxKeys: number) {
    if (!Number.isInteger(maxKeys) || maxKeys < 1 || maxKeys > MOST_KEYS) {
      throw new RangeError(`maxKeys must be an integer from 1 to ${MOST_KEYS}, not ${maxKeys}`);
    }
    this.#maxKeys = maxKeys;
    this.main = new Float64Array(maxKeys);
    this.rest = new Int32Array(maxKeys);
    this.#ends = new Float64Array(maxKeys);
    this.#newer = new Int32Array(maxKeys);
    this.#older = new Int32Array(maxKeys);
    this.#next = new Int32Array(maxKeys);
    this.#previous = new Int32Array(maxKeys);
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The slot of a live counter, which thereby becomes the newest; else NONE. */
  find(key: string, nowUs: Micros): number {
    const slot = this.#slots.get(shortened(key));
    if (slot === undefined) return NONE;
    if ((this.#ends[slot] as number) <= nowUs) {
      this.#release(slot);
      return NONE;
    }
    if (slot !== this.#newest) {
      this.#forgetUse(slot);
      this.#noteUse(slot);
    }
    return slot;
  }

  /** Adds a counter whose key is not in the table. */
  add(whole: string, main: number, rest: number, endUs: Micros, nowUs: Micros): void {
    const key = shortened(whole);
    if (this.#slots.size >= this.#maxKeys) {
      const ended = this.#windowThatEnded(nowUs);
      this.#release(ended === null ? this.#oldest : ended.head);
    }
    const slot = this.#takeSlot(key);
    flatten(key);
    this.#slots.set(key, slot);
    this.main[slot] = main;
    this.rest[slot] = rest;
    this.#noteUse(slot);
    this.#joinWindow(slot, endUs);
  }

  /** Moves a counter to a later end: two units may share a key, and the longer one must not lose its count. */
  extend(slot: number, endUs: Micros): void {
    if (endUs <= (this.#ends[slot] as number)) return;
    this.#leaveWindow(slot);
    this.#joinWindow(slot, endUs);
  }

  /** Gives back some of the counters whose window has ended. Costs one comparison when there are none. */
  sweep(nowUs: Micros): void {
    for (let left = SWEPT_AT_ONCE; left > 0 && this.#soonest.endUs <= nowUs; left--) {
      const ended = this.#windowThatEnded(nowUs);
      if (ended === null) return;
      this.#release(ended.head);
    }
  }

  /** An ended window that still has counters. */
  #windowThatEnded(nowUs: Micros): Window | null {
    while (this.#soonest.endUs <= nowUs) {
      if (this.#soonest.head !== NONE) return this.#soonest;
      this.#windows.pop();
      this.#soonest = this.#windows.at(-1) ?? NEVER;
    }
    return null;
  }

  #takeSlot(key: string): number {
    const slot = this.#free;
    if (slot === NONE) return this.#keys.push(key) - 1;
    this.#free = this.#older[slot] as number;
    this.#keys[slot] = key;
    return slot;
  }

  #release(slot: number): void {
    this.#slots.delete(this.#keys[slot] as string);
    this.#keys[slot] = '';
    this.#forgetUse(slot);
    this.#leaveWindow(slot);
    this.#older[slot] = this.#free;
    this.#free = slot;
  }

  #noteUse(slot: number): void {
    this.#newer[slot] = NONE;
    this.#older[slot] = this.#newest;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #forgetUse(slot: number): void {
    const newer = this.#newer[slot] as number;
    const older = this.#older[slot] as number;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  #joinWindow(slot: number, endUs: Micros): void {
    const window = this.#windowOf(endUs);
    this.#ends[slot] = endUs;
    this.#previous[slot] = NONE;
    this.#next[slot] = window.head;
    if (window.head !== NONE) this.#previous[window.head] = slot;
    window.head = slot;
  }

  #leaveWindow(slot: number): void {
    const next = this.#next[slot] as number;
    const previous = this.#previous[slot] as number;
    if (previous === NONE) this.#windowOf(this.#ends[slot] as number).head = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }

  /** Callers let counters end together, or there would be as many windows as counters. */
  #windowOf(endUs: Micros): Window {
    const windows = this.#windows;
    let from = 0;
    let to = windows.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((windows[middle] as Window).endUs > endUs) from = middle + 1;
      else to = middle;
    }
    const found = windows[from];
    if (found?.endUs === endUs) return found;
    const window = { endUs, head: NONE };
    windows.splice(from, 0, window);
    this.#soonest = windows.at(-1) ?? NEVER;
    return window;
  }
}

/**
 * V8 keeps a text that was put together as a tree of its pieces, which takes several times the room and every lookup
 * walks it. Reading it as a number makes it one piece.
 */
function flatten(text: string): number {
  return Number(text);
}

/** Callers choose how long keys are, and a table of keys is bounded only when each of them is. */
function shortened(key: string): string {
  if (key.length <= LONGEST_KEY) return key;
  // Every character counts, halves of surrogate pairs too, which UTF-8 would make one.
  return createHash('sha256').update(key, 'utf16le').digest('base64');
}
