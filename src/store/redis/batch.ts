import { countsRefused } from '../../core/algorithm/algorithm.ts';
import type { Hit, Reading, Refuses } from '../../core/decision.ts';
import { type Fate, readingOf } from '../../core/fate.ts';
import { type Caller, CallerGoneError, type Charge, type StoreError } from '../../core/ports.ts';
import type { Micros } from '../../core/request.ts';
import { PartlyCountedError } from '../partly-counted.ts';
import { refusedByRedis } from './failure.ts';
import { HitKinds } from './hit-kinds.ts';
import { unpackedList } from './msgpack.ts';
import { type Packed, packed, packedKeys } from './script-call.ts';

/** The hits of one caller, who waits. */
interface Waiting {
  readonly hits: readonly Hit[];
  readonly charge: Charge;
  readonly nowUs: Micros;
  readonly caller: Caller | undefined;
  readonly resolve: (readings: readonly Reading[]) => void;
  readonly reject: (error: StoreError | CallerGoneError) => void;
}

export interface BatchOptions {
  /** Added at random to a window's length, so that the counters of one window don't all expire in one moment. */
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

  add(hits: readonly Hit[], charge: Charge, nowUs: Micros, caller?: Caller): Promise<readonly Reading[]> {
    this.#hits += hits.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ hits, charge, nowUs, caller, resolve, reject });
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

  /** What follows EVALSHA and the hash: the number of keys, KEYS and ARGV as lua/batch.lua wants them. */
  arguments(options: BatchOptions): readonly Packed[] {
    const kinds = new HitKinds(this.#hits, spreadSeconds(options));
    const keys: string[] = [];
    const runs: string[] = [];
    let kind = 0;
    let size = 0;
    for (const { hits, nowUs } of this.#waiting) {
      for (const hit of hits) {
        keys.push(hit.key);
        const next = kinds.of(hit, nowUs);
        if (next !== kind && size > 0) {
          runs.push(String(size), String(kind));
          size = 0;
        }
        kind = next;
        size++;
      }
    }
    runs.push(String(size), String(kind));
    const args = [String(this.#hits), String(kinds.end), ...kinds.args, ...runs];
    this.#pushGroups(args);
    args.push(this.#name);
    keys.push(...kinds.keysBefore);
    return [packed([String(keys.length)]), packedKeys(keys), packed(args)];
  }

  #pushGroups(args: string[]): void {
    let first = 1;
    for (const { hits, charge } of this.#waiting) {
      // Where a refused hit is charged, one without siblings is charged in any case.
      if (charge === 'only_if_admitted' || (charge === 'stop_when_over' && hits.length > 1)) {
        args.push(String(first), String(hits.length), charge === 'only_if_admitted' ? '1' : '0');
        let quota = -1;
        for (const { limit, refuses, of } of hits) {
          args.push(String(limit.capacity), refuses === 'together' && of === quota ? SAME_QUOTA : REFUSES[refuses]);
          if (refuses === 'together') quota = of;
        }
      }
      first += hits.length;
    }
  }

  /** What is told of these hits; null when the reply is another call's, as connections that lost count hand over. */
  listIn(reply: unknown): readonly unknown[] | null {
    const list = reply instanceof Buffer ? unpackedList(reply) : null;
    return list?.length === this.#hits + 1 && list[this.#hits] === this.#name ? list : null;
  }

  /**
   * Hands everyone his part of what the script told. A counter that failed fails only the request it belongs to, or of hits
   * that are always charged only its own; the errors are returned as well. Does nothing once the batch is settled.
   */
  answer(reply: readonly unknown[]): readonly StoreError[] {
    const failures: StoreError[] = [];
    let at = 0;
    for (const waiting of this.#settle()) {
      const { hits, nowUs } = waiting;
      const readings: Reading[] = new Array(hits.length);
      let whole = true;
      for (let i = 0; i < hits.length; i++) {
        const told: unknown = reply[at + i];
        const reading = heard(told, hits[i] as Hit, nowUs);
        if (reading === null) whole = false;
        else readings[i] = reading;
      }
      if (whole) waiting.resolve(readings);
      else waiting.reject(failureOf(waiting, reply.slice(at, at + hits.length), failures));
      at += hits.length;
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

/** Hits that don't depend on each other: what was counted is told even when a sibling was not. */
function failureOf({ hits, charge, nowUs }: Waiting, reply: readonly unknown[], failures: StoreError[]): StoreError {
  const counted = new Map<Hit, Reading>();
  const refused: StoreError[] = [];
  for (const [i, hit] of hits.entries()) {
    const reading = heard(reply[i], hit, nowUs);
    if (reading === null) refused.push(refusedByRedis(String(reply[i])));
    else counted.set(hit, reading);
  }
  const [first] = refused as [StoreError];
  if (charge !== 'always') {
    failures.push(first);
    return first;
  }
  failures.push(...refused);
  return counted.size === 0 ? first : new PartlyCountedError(first, counted);
}

function hasGone(caller: Caller | undefined, nowMs: number): boolean {
  return caller !== undefined && (caller.cancelled || (caller.deadlineMs !== null && caller.deadlineMs <= nowMs));
}

/** As lua/batch.lua has it. */
const REFUSES: Readonly<Record<Refuses, string>> = { never: '0', alone: '1', together: '2' };
const SAME_QUOTA = '3';

/** Drawn once for all that a batch makes. */
function spreadSeconds({ expirationJitterMaxSeconds, random }: BatchOptions): number {
  return Math.floor(random() * expirationJitterMaxSeconds);
}

const FATES: Readonly<Record<string, Fate>> = {
  '+': 'charged',
  '-': 'refused',
  '=': 'looked_at',
  '>': 'would_go_over',
};

/** A number, or a fate and what is stored; null when it is the text of an error. */
function heard(told: unknown, hit: Hit, nowUs: Micros): Reading | null {
  if (typeof told === 'number') return readingOf(hit, { main: told, rest: 0 }, 'charged', nowUs, 'redis');
  const text = String(told);
  const fate = FATES[text.charAt(0)];
  if (fate === undefined) return null;
  const [main = Number.NaN, second, serverUs = nowUs] = text.slice(1).split(/[ :]/).map(Number);
  const rest = second ?? (countsRefused(hit) ? 0 : Number.NaN);
  return Number.isNaN(main + rest) ? null : readingOf(hit, { main, rest }, fate, serverUs, 'redis');
}
