import { Command } from 'ioredis';
import type { Hit, Reading } from '../../core/decision.ts';
import { limit } from '../../core/limit.ts';
import { type Caller, type Charge, type Store, StoreError, type StoreErrorCode } from '../../core/ports.ts';
import type { Micros } from '../../core/request.ts';
import { TooLate, within } from '../../within.ts';
import type { Batching, BatchWatcher } from '../breaker.ts';
import { Batch, type BatchOptions } from './batch.ts';
import type { BatchReply } from './batch-reply.ts';
import type { Connection } from './connection.ts';
import { forbidsKey, isReplica, storeError } from './failure.ts';
import { type Packed, ScriptCall } from './script-call.ts';
import { BATCH } from './scripts.ts';

/** Plain numbers, counted up from the start of the process; to be read, not written. */
export interface RedisStoreStats {
  /** What went out in one write, to one server. */
  batches: number;
  hits: number;
  inFlight: number;
  connects: number;
  reconnects: number;
  /** Batches and refused calls, not callers. */
  readonly errors: Record<StoreErrorCode, number>;
}

export interface LaneOptions extends BatchOptions {
  /** From the first hit of a batch to its answer. */
  readonly commandTimeoutMs: number;
  readonly maxBatchHits: number;
  readonly maxBatchesInFlight: number;
  /** How long hits are collected; 0: for one turn of the event loop. */
  readonly windowMs: number;
  readonly onBatch?: (hits: number, tookUs: number, error: StoreError | null) => void;
}

/** The server at the end of a lane. */
export interface Server {
  readonly anyReady: boolean;
  /** The next in turn; null when none is ready. */
  pick(): Connection | null;
  readonly loss: StoreError;
  /** Hits of one script call must share it; those of one request do. */
  slotOf(key: string): number;
  /** Where to send again what `from` refused without running it; null when there is no such place. */
  follow?(error: Error, from: Connection): Promise<Destination | null>;
}

export interface Destination {
  readonly connection: Connection;
  /** It takes the hits only because another server said so. */
  readonly asking: boolean;
}

/** A slot that moves while we follow it, and a script that is not known there. */
const MOST_SENDS = 8;

/** Charged by those who ask whether Redis counts. */
const ASKING_HIT: Omit<Hit, 'key'> = {
  of: 0,
  previousKey: '',
  limit: limit({ requestsPerUnit: 1, unit: 'minute' }),
  cost: 1,
  windowSeconds: 10,
  windowEndUs: 0,
  shadow: false,
  refuses: 'never',
  onStoreFailure: null,
};

/**
 * The way to one server. All hits of one turn of the event loop (or of the window) go out in one write: one script call,
 * or in a cluster one for each slot.
 */
export class Lane implements Store, Batching {
  readonly #server: Server;
  readonly #options: LaneOptions;
  readonly #stats: RedisStoreStats;
  #open: Map<number, Batch> | null = null;
  #openHits = 0;
  #openedAtMs = 0;
  #inFlight = 0;
  /** Of these, those whose time is over. */
  #overdue = 0;
  #everAnswered = false;
  #watcher: BatchWatcher | null = null;
  #onIdle: (() => void) | null = null;

  constructor(server: Server, options: LaneOptions, stats: RedisStoreStats) {
    this.#server = server;
    this.#options = options;
    this.#stats = stats;
  }

  get everAnswered(): boolean {
    return this.#everAnswered;
  }

  get idle(): boolean {
    return this.#inFlight === 0 && this.#open === null;
  }

  watch(watcher: BatchWatcher): void {
    this.#watcher = watcher;
  }

  take: Store['take'] = (hits, charge, nowUs, caller) => {
    if (hits.length === 0) return Promise.resolve([]);
    const { maxBatchHits, maxBatchesInFlight } = this.#options;
    if (!this.#server.anyReady) return Promise.reject(this.failure(this.#server.loss));
    if (this.#open !== null && this.#openHits + hits.length > maxBatchHits) this.flush();
    if (this.#open === null && this.#inFlight >= maxBatchesInFlight) {
      return Promise.reject(this.failure(this.#full()));
    }
    return this.#collect(hits, charge, nowUs, caller);
  };

  /** Too much work for a Redis that answers is our own trouble; when it does not, it has failed. */
  #full(): StoreError {
    if (this.#overdue > 0) return new StoreError('unavailable', 'Redis does not answer');
    return new StoreError('busy', `${this.#inFlight} batches wait for Redis already`);
  }

  #collect(hits: readonly Hit[], charge: Charge, nowUs: Micros, caller?: Caller): Promise<readonly Reading[]> {
    const open = this.#opened();
    this.#openHits += hits.length;
    return batchOf(open, this.#server.slotOf((hits[0] as Hit).key)).add(hits, charge, nowUs, caller);
  }

  #opened(): Map<number, Batch> {
    if (this.#open !== null) return this.#open;
    this.#open = new Map();
    this.#openHits = 0;
    this.#openedAtMs = performance.now();
    if (this.#options.windowMs > 0) setTimeout(this.flush, this.#options.windowMs);
    else setImmediate(this.flush);
    return this.#open;
  }

  /** Sends what was collected. */
  readonly flush = (): void => {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const batches = [...open.values()];
    for (const batch of batches) batch.dropGone(performance.now());
    const left = batches.filter(({ hits }) => hits > 0);
    if (left.length > 0) this.#send(left);
    else this.#tellIdle();
  };

  /** Holds its place in flight until Redis has answered or the connection is gone, whenever the callers gave up. */
  #send(batches: readonly Batch[]): void {
    const hits = batches.reduce((sum, batch) => sum + batch.hits, 0);
    const stats = this.#stats;
    stats.batches++;
    stats.hits += hits;
    stats.inFlight++;
    this.#inFlight++;
    const ended = this.#ending(hits);
    let overdue = 0;
    const timer = this.#expireLater(batches, (error) => {
      overdue = 1;
      this.#overdue++;
      ended(error);
    });
    let left = batches.length;
    let failure: StoreError | null = null;
    const answered = (error: StoreError | null): void => {
      failure ??= error;
      if (--left > 0) return;
      ended(failure);
      clearTimeout(timer);
      stats.inFlight--;
      this.#inFlight--;
      this.#overdue -= overdue;
      this.#tellIdle();
    };
    const connection = this.#server.pick();
    const send = (): void => {
      for (const batch of batches) void this.#sendOne(batch, connection, answered);
    };
    if (connection === null) send();
    else connection.together(send);
  }

  /** Tells null when Redis counted. A counter that is none is the trouble of those who asked for it, not Redis's. */
  async #sendOne(batch: Batch, connection: Connection | null, answered: (error: StoreError | null) => void) {
    try {
      if (connection === null) throw this.#server.loss;
      const failures = batch.answer(await this.#run(batch, connection));
      this.#everAnswered = true;
      for (const error of failures) this.failure(error);
      if (failures.some(isReplica)) connection.drop();
      answered(failures.find(({ code }) => code !== 'counter') ?? null);
    } catch (thrown) {
      const error = storeError(thrown);
      if (isReplica(error)) connection?.drop();
      if (!batch.settled) batch.fail(this.failure(error));
      answered(error);
    }
  }

  /** A server that refused without running the script has counted nothing, so it may be sent again while anybody waits. */
  async #run(batch: Batch, connection: Connection, life?: Partial<BatchOptions>): Promise<BatchReply> {
    const args = batch.arguments({ ...this.#options, ...life });
    let to: Destination = { connection, asking: false };
    let whole = false;
    for (let sends = 1; ; sends++) {
      try {
        const reply = batch.replyIn(await evaluate(args, to, whole));
        if (reply !== null) return reply;
        // Every reply that follows on this connection would be that of another call too.
        to.connection.drop();
        throw new StoreError('unavailable', 'Redis answered out of turn');
      } catch (error) {
        if (!(error instanceof Error) || batch.settled || sends === MOST_SENDS) throw error;
        if (error.message.startsWith('NOSCRIPT')) {
          whole = true;
          continue;
        }
        const next = (await this.#server.follow?.(error, to.connection)) ?? null;
        if (next === null || batch.settled) throw error;
        to = next;
        whole = false;
      }
    }
  }

  /** Whoever is first to know how a batch ended tells it, and nobody else. */
  #ending(hits: number): (error: StoreError | null) => void {
    const sentAt = performance.now();
    const tell = this.#watcher?.sent();
    let told = false;
    return (error) => {
      if (told) return;
      told = true;
      tell?.(error);
      this.#options.onBatch?.(hits, Math.round((performance.now() - sentAt) * 1_000), error);
    };
  }

  #expireLater(batches: readonly Batch[], ended: (error: StoreError) => void): NodeJS.Timeout {
    const { commandTimeoutMs, windowMs } = this.#options;
    // What they waited beyond the window was a stall of our own, for which Redis shall not have less time.
    const collectedMs = Math.min(windowMs, performance.now() - this.#openedAtMs);
    return setTimeout(() => {
      // After a stall of our own the answer may wait in the socket, which is read before setImmediate runs.
      setImmediate(() => {
        const waiting = batches.filter(({ settled }) => !settled);
        if (waiting.length === 0) return;
        const error = this.failure(late());
        for (const batch of waiting) batch.fail(error);
        ended(error);
      });
    }, commandTimeoutMs - collectedMs);
  }

  /** Rejects with StoreError when there is no answer within the command timeout. */
  async ask(connection: Connection, command: Command): Promise<unknown> {
    try {
      return await within(this.#options.commandTimeoutMs, connection.send(command).then(this.#heard));
    } catch (error) {
      throw this.failure(error instanceof TooLate ? late() : storeError(error));
    }
  }

  async ping(): Promise<void> {
    const connection = this.#server.pick();
    if (connection === null) throw this.#server.loss;
    await this.ask(connection, new Command('ping'));
  }

  /** Charges this counter in a call of its own. Rejects with StoreError when that is not counted in time. */
  async countsNow(key: string): Promise<void> {
    const connection = this.#server.pick();
    if (connection === null) throw this.#server.loss;
    const batch = new Batch();
    const counted = batch.add([{ ...ASKING_HIT, key }], 'always', 0);
    const timer = setTimeout(() => setImmediate(() => batch.fail(late())), this.#options.commandTimeoutMs);
    this.#run(batch, connection, { expirationJitterMaxSeconds: 0 }).then(
      (reply) => batch.answer(reply),
      (error) => batch.fail(storeError(error)),
    );
    try {
      this.#heard(await counted);
    } catch (thrown) {
      const error = thrown as StoreError;
      // Who is told that we are not ready sends no calls, and so nobody else would look for the new master.
      if (isReplica(error)) connection.drop();
      // Calls may have other keys than this one; that the script may run is known.
      if (error.code !== 'counter' && !forbidsKey(error)) throw this.failure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** An answer that comes too late for its caller is an answer all the same. */
  readonly #heard = (answer: unknown): unknown => {
    this.#everAnswered = true;
    this.#watcher?.heard();
    return answer;
  };

  /** Sends what was collected, and waits so long at most for what is in flight. */
  async finish(timeoutMs: number): Promise<void> {
    this.flush();
    if (this.idle) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tellIdle(): void {
    if (this.idle) this.#onIdle?.();
  }

  failure(error: StoreError): StoreError {
    this.#stats.errors[error.code]++;
    return error;
  }
}

function batchOf(open: Map<number, Batch>, slot: number): Batch {
  const known = open.get(slot);
  if (known !== undefined) return known;
  const made = new Batch();
  open.set(slot, made);
  return made;
}

function evaluate(args: readonly Packed[], { connection, asking }: Destination, whole: boolean) {
  // It holds for the one command that follows, so both go out together.
  if (asking) connection.send(new Command('asking')).catch(() => {});
  return connection.send(new ScriptCall(BATCH, whole, args));
}

function late(): StoreError {
  return new StoreError('timeout', 'Redis did not answer in time');
}
