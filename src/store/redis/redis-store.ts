import { Command, type Redis } from 'ioredis';
import type { Part, Store, StoreErrorCode } from '../../core/ports.ts';
import { StoreError } from '../../core/ports.ts';
import type { Batching, BatchWatcher } from '../breaker.ts';
import { Batch, type BatchOptions } from './batch.ts';
import { type RedisClientOptions, type RedisTargetOptions, redactedUrl, redisClient, redisTarget } from './connect.ts';
import { isRefusal, plainError, storeError, unavailable } from './failure.ts';
import { FIXED_WINDOW, type Script } from './scripts.ts';

const DEFAULTS = {
  connectTimeoutMs: 1_000,
  commandTimeoutMs: 100,
  expirationJitterMaxSeconds: 300,
  maxBatchHits: 1_024,
  maxBatchesInFlight: 128,
  stopTimeoutMs: 1_000,
} as const;

/** A connection is given up for dead after so many command timeouts of silence, but not before half a second. */
const STALL_TIMEOUTS = 5;
const LEAST_STALL_MS = 500;

/** ioredis gives up for good when a dial throws at once (a broken certificate, say); then this is the pause. */
const REDIAL_MS = 1_000;

export interface RedisStoreOptions extends RedisTargetOptions, Partial<RedisClientOptions>, Partial<BatchOptions> {
  /** How long Redis may take to answer. A hit that timed out may still be counted, once. */
  readonly commandTimeoutMs?: number;
  /** Hits in one script call. One request with more of them is a call of its own. */
  readonly maxBatchHits?: number;
  /** Calls that Redis has not answered; beyond it take() rejects with `busy`. */
  readonly maxBatchesInFlight?: number;
  /** How long stop() waits for what is in flight. */
  readonly stopTimeoutMs?: number;
  /** A batch came to its end after so many microseconds; null when Redis counted. What comes later is not told. */
  readonly onBatch?: (hits: number, tookUs: number, error: StoreError | null) => void;
  readonly onConnected?: () => void;
  /** The connection was lost or a dial failed. `cause` holds no password and no key; it may hold the address. */
  readonly onDisconnected?: (cause: Error | undefined) => void;
}

/** Plain numbers, counted up from the start of the process; to be read, not written. */
export interface RedisStoreStats {
  batches: number;
  hits: number;
  inFlight: number;
  connects: number;
  reconnects: number;
  /** Batches and refused calls, not callers. */
  readonly errors: Record<StoreErrorCode, number>;
}

export interface RedisStore extends Store, Part, Batching {
  readonly stats: Readonly<RedisStoreStats>;
  /** The address for logs, without a password. */
  readonly address: string;
  /** Now. */
  readonly connected: boolean;
  /** Redis has answered at least once since the start. */
  readonly everAnswered: boolean;
  /** Rejects with StoreError when Redis does not answer within the command timeout. */
  ping(): Promise<void>;
}

/**
 * Counts in one Redis: all hits of one turn of the event loop in one script call. Throws an Error with a sentence when
 * the address is not understood. start() does not wait for Redis; until it is there, take() rejects at once.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  return new SingleRedisStore(options);
}

class SingleRedisStore implements RedisStore {
  readonly name = 'redis';
  readonly address: string;
  readonly stats: RedisStoreStats = {
    batches: 0,
    hits: 0,
    inFlight: 0,
    connects: 0,
    reconnects: 0,
    errors: { timeout: 0, unavailable: 0, busy: 0, script: 0 },
  };
  readonly #client: Redis;
  readonly #options: RedisStoreOptions & typeof DEFAULTS & BatchOptions;
  #everAnswered = false;
  #lastCause: Error | undefined;
  #open: Batch | null = null;
  #stopping: Promise<void> | null = null;
  #onIdle: (() => void) | null = null;
  #watcher: BatchWatcher | null = null;

  constructor(options: RedisStoreOptions) {
    this.#options = withDefaults(options);
    const { commandTimeoutMs, random } = this.#options;
    this.address = redactedUrl(options.url);
    this.#client = redisClient(redisTarget(options), {
      tls: options.tls,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      stallTimeoutMs: options.stallTimeoutMs ?? Math.max(LEAST_STALL_MS, STALL_TIMEOUTS * commandTimeoutMs),
      random,
    });
    this.#watch();
  }

  get connected(): boolean {
    return this.#client.status === 'ready';
  }

  get everAnswered(): boolean {
    return this.#everAnswered;
  }

  async start(): Promise<void> {
    if (this.#stopping === null) this.#dial();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#finish();
    return this.#stopping;
  }

  watch(watcher: BatchWatcher): void {
    this.#watcher = watcher;
  }

  take: Store['take'] = (hits, charge, _nowUs, caller) => {
    if (!this.connected || this.#stopping !== null) return Promise.reject(this.#failure(unavailable(this.#lastCause)));
    if (this.#open !== null && this.#open.hits + hits.length > this.#options.maxBatchHits) this.#flush();
    if (this.#open === null) {
      if (this.stats.inFlight >= this.#options.maxBatchesInFlight) {
        return Promise.reject(
          this.#failure(new StoreError('busy', `${this.stats.inFlight} batches wait for Redis already`)),
        );
      }
      this.#open = new Batch();
      setImmediate(this.#flush);
    }
    return this.#open.add(hits, charge, caller);
  };

  async ping(): Promise<void> {
    if (!this.connected) throw unavailable(this.#lastCause);
    await this.#ask(new Command('ping'));
  }

  readonly #flush = (): void => {
    const batch = this.#open;
    if (batch === null) return;
    this.#open = null;
    void this.#send(batch, FIXED_WINDOW);
  };

  /** Holds its place in flight until Redis has answered or the connection is gone, whenever the callers gave up. */
  async #send(batch: Batch, script: Script): Promise<void> {
    batch.dropGone(Date.now());
    if (batch.hits === 0) {
      batch.answer([]);
      return;
    }
    const { stats } = this;
    stats.batches++;
    stats.hits += batch.hits;
    stats.inFlight++;
    const ended = this.#ending(batch.hits);
    const timer = this.#expireLater(batch, ended);
    try {
      const failures = batch.answer(await this.#run(batch, script));
      for (const error of failures) this.#failure(error);
      this.#everAnswered = true;
      // A counter that is none is the trouble of those who asked for it, and not Redis's.
      ended(failures.find(({ code }) => code !== 'script') ?? null);
    } catch (thrown) {
      const error = storeError(thrown);
      if (!batch.settled) batch.fail(this.#failure(error));
      ended(error);
    } finally {
      clearTimeout(timer);
      stats.inFlight--;
      if (stats.inFlight === 0) this.#onIdle?.();
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

  async #run(batch: Batch, { sha, source }: Script): Promise<unknown> {
    const args = batch.arguments(this.#options);
    try {
      return await this.#client.sendCommand(new Command('evalsha', [sha, ...args], TEXT));
    } catch (error) {
      // A script that was not known has counted nothing, so it may be sent again, unless nobody waits any more.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT') || batch.settled) throw error;
      return this.#client.sendCommand(new Command('eval', [source, ...args], TEXT));
    }
  }

  #expireLater(batch: Batch, ended: (error: StoreError) => void): NodeJS.Timeout {
    return setTimeout(() => {
      // After a stall of our own the answer may wait in the socket, which is read before setImmediate runs.
      setImmediate(() => {
        if (batch.settled) return;
        const error = this.#failure(late());
        batch.fail(error);
        ended(error);
      });
    }, this.#options.commandTimeoutMs);
  }

  async #ask(command: Command): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => setImmediate(() => reject(late())), this.#options.commandTimeoutMs);
    });
    try {
      const answer = this.#client.sendCommand(command) as Promise<unknown>;
      return await Promise.race([answer.then(this.#heard), tooLate]);
    } catch (error) {
      throw this.#failure(storeError(error));
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

  #failure(error: StoreError): StoreError {
    this.stats.errors[error.code]++;
    return error;
  }

  #watch(): void {
    const { onConnected, onDisconnected } = this.#options;
    this.#client.on('connecting', () => {
      this.#lastCause = undefined;
    });
    this.#client.on('ready', () => {
      if (this.stats.connects++ > 0) this.stats.reconnects++;
      this.ping().catch(ignore);
      onConnected?.();
    });
    this.#client.on('error', (error: unknown) => {
      this.#lastCause = plainError(error);
      // ioredis goes on after a refused SELECT, and would count in database 0.
      if (isRefusal(error)) this.#client.disconnect(true);
    });
    this.#client.on('close', () => {
      // A connection that was closed on purpose is not lost.
      if (this.#stopping === null) onDisconnected?.(this.#lastCause);
    });
    this.#client.on('end', () => {
      if (this.#stopping === null) setTimeout(() => this.#dial(), REDIAL_MS).unref();
    });
  }

  #dial(): void {
    if (this.#stopping === null) this.#client.connect().catch(ignore);
  }

  /** Sends what was collected, waits for what is in flight, then says goodbye. */
  async #finish(): Promise<void> {
    this.#flush();
    const deadline = setTimeout(() => this.#onIdle?.(), this.#options.stopTimeoutMs);
    if (this.stats.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    clearTimeout(deadline);
    // Only a client with a socket tells its end.
    const hasSocket = ['connecting', 'connect', 'ready'].includes(this.#client.status);
    const ended = new Promise((resolve) => this.#client.once('end', resolve));
    this.#client.disconnect();
    if (hasSocket) await ended;
  }
}

const TEXT = { replyEncoding: 'utf8' } as const;

function late(): StoreError {
  return new StoreError('timeout', 'Redis did not answer in time');
}

function ignore(): void {}

/** Absent and undefined options take their default. */
function withDefaults(options: RedisStoreOptions): RedisStoreOptions & typeof DEFAULTS & BatchOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { random: Math.random, ...DEFAULTS, ...given } as RedisStoreOptions & typeof DEFAULTS & BatchOptions;
}
