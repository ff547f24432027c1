import { windowOfHit } from '../../core/algorithm/algorithm.ts';
import { elapsedTicks } from '../../core/algorithm/sliding-window.ts';
import type { Hit, Reading, Refuses } from '../../core/decision.ts';
import { type Caller, CallerGoneError, type Charge, type StoreError } from '../../core/ports.ts';
import type { Micros } from '../../core/request.ts';
import { PartlyCountedError } from '../partly-counted.ts';
import { BatchReply, type ReadingOrError } from './batch-reply.ts';
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
    const kinds = new HitKinds(spreadSeconds(options));
    const keys: string[] = [];
    const keysBefore: string[] = [];
    const runs: string[] = [];
    const ticks: string[] = [];
    let kind = 0;
    let size = 0;
    for (const { hits, nowUs } of this.#waiting) {
      for (const hit of hits) {
        keys.push(hit.key);
        const next = kinds.of(hit);
        if (next !== kind && size > 0) {
          runs.push(String(size), String(kind));
          size = 0;
        }
        if (hit.limit.algorithm === 'sliding_window') {
          keysBefore.push(hit.previousKey);
          ticks.push(String(elapsedTicks(windowOfHit(hit), nowUs)));
        }
        kind = next;
        size++;
      }
    }
    runs.push(String(size), String(kind));
    const args = [
      String(this.#hits),
      String(kinds.end),
      String(kinds.end + runs.length),
      ...kinds.args,
      ...runs,
      ...ticks,
    ];
    this.#pushGroups(args);
    args.push(this.#name);
    keys.push(...keysBefore);
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

  /** The reply to these hits; null when it is another call's, as connections that lost count hand over. */
  replyIn(bytes: unknown): BatchReply | null {
    const list = bytes instanceof Buffer ? unpackedList(bytes) : null;
    return list !== null && list.length >= this.#hits + 2 && list.at(-1) === this.#name ? new BatchReply(list) : null;
  }

  /**
   * Hands everyone his part of what the script replied. A counter that failed fails only the request it belongs to, or of hits
   * that are always charged only its own; the errors are returned as well. Does nothing once the batch is settled.
   */
  answer(reply: BatchReply): readonly StoreError[] {
    const failures: StoreError[] = [];
    const all = this.#settle();
    const parts = all.map(({ hits, nowUs }) => reply.next(hits, nowUs));
    const unput = reply.unput();
    const lost = new Set<string>();
    let first = 0;
    for (const [i, waiting] of all.entries()) {
      let own = parts[i] as readonly ReadingOrError[];
      if (unput.size > 0) own = own.map((each, n) => put(each, waiting.hits[n] as Hit, unput.get(first + n), lost));
      if (areReadings(own)) waiting.resolve(own);
      else waiting.reject(failureOf(waiting, own, failures));
      first += own.length;
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

function areReadings(all: readonly ReadingOrError[]): all is readonly Reading[] {
  for (const each of all) if (typeof each === 'string') return false;
  return true;
}

/** `error`: the counter could not be put. What was told of it holds until the first hit that changed it, which is `lost`. */
function put(told: ReadingOrError, hit: Hit, error: string | undefined, lost: Set<string>): ReadingOrError {
  if (error === undefined || typeof told === 'string') return told;
  if (hit.cost < 0 || (hit.cost > 0 && told.kind === 'counted' && told.charged)) lost.add(hit.key);
  return lost.has(hit.key) ? error : told;
}

/** Hits that don't depend on each other: what was counted is told even when a sibling was not. */
function failureOf({ hits, charge }: Waiting, own: readonly ReadingOrError[], failures: StoreError[]): StoreError {
  const counted = new Map<Hit, Reading>();
  const refused: StoreError[] = [];
  for (const [i, each] of own.entries()) {
    if (typeof each === 'string') refused.push(refusedByRedis(each));
    else counted.set(hits[i] as Hit, each);
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
