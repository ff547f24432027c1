import type { Hit, Reading, Refuses } from '../../core/decision.ts';
import { uncharged } from '../../core/denial.ts';
import { type Caller, CallerGoneError, type Charge, type StoreError } from '../../core/ports.ts';
import { refusedByRedis } from './failure.ts';
import { keyBytes } from './key-bytes.ts';

type Argument = string | Buffer;

/** The hits of one caller, who waits. */
interface Waiting {
  readonly hits: readonly Hit[];
  readonly charge: Charge;
  readonly caller: Caller | undefined;
  readonly resolve: (readings: readonly Reading[]) => void;
  readonly reject: (error: StoreError | CallerGoneError) => void;
}

export interface BatchOptions {
  /** Added to a window's length so that the counters of one window don't all expire in one moment. */
  readonly expirationJitterMaxSeconds: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
}

/** Batches of this process so far. */
let named = 0;

/** Requests that go to Redis in one script call. It is settled once; what comes later is ignored. */
export class Batch {
  /** Redis hands it back, so that no reply of another call is taken for this one's. */
  readonly #name = `#${++named}`;
  #waiting: Waiting[] = [];
  #hits = 0;
  #settled = false;

  get hits(): number {
    return this.#hits;
  }

  get settled(): boolean {
    return this.#settled;
  }

  add(hits: readonly Hit[], charge: Charge, caller?: Caller): Promise<readonly Reading[]> {
    this.#hits += hits.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ hits, charge, caller, resolve, reject });
    });
  }

  /** Nobody would read the answer for a caller who has gone, and so nobody shall pay for it. */
  dropGone(nowMs: number): void {
    if (!this.#waiting.some(({ caller }) => hasGone(caller, nowMs))) return;
    const stay: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (hasGone(waiting.caller, nowMs)) {
        this.#hits -= waiting.hits.length;
        waiting.reject(new CallerGoneError());
      } else {
        stay.push(waiting);
      }
    }
    this.#waiting = stay;
  }

  /** What follows EVALSHA and the hash: the number of keys, KEYS and ARGV as lua/fixed-window.lua wants them. */
  arguments(options: BatchOptions): Argument[] {
    const args: Argument[] = new Array(1 + 3 * this.#hits);
    args[0] = String(this.#hits);
    let key = 1;
    let argument = 1 + this.#hits;
    for (const { hits } of this.#waiting) {
      for (const hit of hits) {
        args[key++] = keyBytes(hit.key);
        args[argument++] = String(hit.cost);
        args[argument++] = String(lifeSeconds(hit, options));
      }
    }
    this.#pushGroups(args);
    args.push(this.#name);
    return args;
  }

  #pushGroups(args: Argument[]): void {
    let first = 1;
    for (const { hits, charge } of this.#waiting) {
      // Where a refused hit is charged, one without siblings is charged in any case.
      if (charge === 'only_if_admitted' || (charge === 'stop_when_over' && hits.length > 1)) {
        args.push(String(first), String(hits.length), charge === 'only_if_admitted' ? '1' : '0');
        for (const hit of hits) args.push(String(hit.limit.capacity), REFUSES[hit.refuses]);
      }
      first += hits.length;
    }
  }

  /** Whether this is the answer to these hits: connections that lost count hand over those of others. */
  fits(reply: unknown): reply is readonly unknown[] {
    return Array.isArray(reply) && reply.length === this.#hits + 1 && reply[this.#hits] === this.#name;
  }

  /**
   * Hands everyone his part of the script's reply. A counter that failed fails only the request it belongs to; the errors
   * are returned as well. Does nothing once the batch is settled.
   */
  answer(reply: readonly unknown[]): readonly StoreError[] {
    const failures: StoreError[] = [];
    let at = 0;
    for (const { hits, resolve, reject } of this.#settle()) {
      const readings: Reading[] = [];
      let failure: string | null = null;
      for (let i = 0; i < hits.length; i++) {
        const told: unknown = reply[at++];
        const reading = readingOf(told, hits[i] as Hit);
        if (reading === null) failure ??= String(told);
        else readings.push(reading);
      }
      if (failure === null) {
        resolve(readings);
      } else {
        const error = refusedByRedis(failure);
        failures.push(error);
        reject(error);
      }
    }
    return failures;
  }

  fail(error: StoreError): void {
    for (const { reject } of this.#settle()) reject(error);
  }

  #settle(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#settled = true;
    return waiting;
  }
}

function hasGone(caller: Caller | undefined, nowMs: number): boolean {
  return caller !== undefined && (caller.cancelled || (caller.deadlineMs !== null && caller.deadlineMs <= nowMs));
}

/** As lua/fixed-window.lua writes it. */
const REFUSES: Readonly<Record<Refuses, string>> = { never: '0', alone: '1', together: '2' };

/** Text is a very large counter, or one that was only looked at, or an error: then null. */
function readingOf(told: unknown, hit: Hit): Reading | null {
  if (typeof told === 'number') return { kind: 'counted', used: told, charged: true, by: 'redis' };
  const text = String(told);
  const looked = text.startsWith('=') || text.startsWith('>');
  const used = looked ? Number(text.slice(1)) : Number(told ?? Number.NaN);
  if (Number.isNaN(used)) return null;
  if (!looked) return { kind: 'counted', used, charged: true, by: 'redis' };
  return uncharged(hit, used, text.startsWith('>'), 'redis');
}

function lifeSeconds({ windowSeconds }: Hit, { expirationJitterMaxSeconds, random }: BatchOptions): number {
  return windowSeconds + Math.floor(random() * expirationJitterMaxSeconds);
}
