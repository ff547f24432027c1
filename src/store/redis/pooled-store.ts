import type { Store, StoreError } from '../../core/ports.ts';
import type { BatchWatcher } from '../breaker.ts';
import { Connection } from './connection.ts';
import { unavailable } from './failure.ts';
import { Lane, type RedisStoreStats } from './lane.ts';
import type { FullOptions, RedisStore } from './redis-store.ts';
import { SentinelWatch } from './sentinel-watch.ts';
import { type SentinelTarget, type SingleTarget, shownAddress } from './target.ts';

/** Counts in one Redis, or in the master that sentinels name, over connections that batches use in turn. */
export function pooledStore(target: SingleTarget | SentinelTarget, options: FullOptions, address: string): RedisStore {
  return new PooledStore(target, options, address);
}

class PooledStore implements RedisStore {
  readonly name = 'redis';
  readonly address: string;
  readonly stats = redisStats();
  readonly #options: FullOptions;
  readonly #pool: Pool;
  readonly #watch: SentinelWatch | null;
  readonly #lane: Lane;
  readonly #guarded: Store;
  #stopping: Promise<void> | null = null;

  constructor(target: SingleTarget | SentinelTarget, options: FullOptions, address: string) {
    this.address = address;
    this.#options = options;
    this.#pool = new Pool(target, options, this.stats, () => {
      this.#lane.ping().catch(() => {});
      options.onConnected?.();
    });
    this.#watch =
      target.type === 'sentinel'
        ? new SentinelWatch(target, {
            ...options,
            leave: (address) => this.#pool.leave(address),
            onUnheard: (server, cause) => options.onDisconnected?.(cause, { server, wasReady: false }),
          })
        : null;
    this.#lane = new Lane(this.#pool, options, this.stats);
    this.#guarded = options.guard?.(this.#lane) ?? this.#lane;
  }

  get connected(): boolean {
    return this.#pool.anyReady;
  }

  get connections(): number {
    return this.#pool.ready;
  }

  get everAnswered(): boolean {
    return this.#lane.everAnswered;
  }

  async start(): Promise<void> {
    if (this.#stopping !== null) return;
    this.#pool.dial();
    this.#watch?.start();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#finish();
    return this.#stopping;
  }

  watch(watcher: BatchWatcher): void {
    this.#lane.watch(watcher);
  }

  take: Store['take'] = (...args) => {
    if (this.#stopping !== null) return Promise.reject(this.#lane.failure(unavailable()));
    return this.#guarded.take(...args);
  };

  countsNow(key: string): Promise<void> {
    return this.#lane.countsNow(key);
  }

  /** Sends what was collected, waits for what is in flight, then says goodbye. */
  async #finish(): Promise<void> {
    await this.#lane.finish(this.#options.stopTimeoutMs);
    this.#watch?.stop();
    await this.#pool.close();
  }
}

/** Connections to one server. */
export class Pool {
  readonly #connections: readonly Connection[];
  #waiting: (() => void)[] = [];
  #next = 0;

  constructor(
    target: SingleTarget | SentinelTarget,
    options: FullOptions,
    stats: RedisStoreStats,
    onReady: (connection: Connection) => void,
  ) {
    this.#connections = Array.from({ length: options.poolSize }, () => {
      let connects = 0;
      const connection: Connection = new Connection(target, {
        ...options,
        onReady: () => {
          stats.connects++;
          if (connects++ > 0) stats.reconnects++;
          for (const go of this.#waiting.splice(0)) go();
          onReady(connection);
        },
        onLost: (cause, wasReady) => {
          // What a sentinel names before a connection is ready may be another sentinel.
          const server = target.type === 'single' ? shownAddress(target.address) : wasReady ? connection.master : null;
          options.onDisconnected?.(cause, { server, wasReady });
        },
      });
      return connection;
    });
  }

  get ready(): number {
    return this.#connections.filter(({ ready }) => ready).length;
  }

  get anyReady(): boolean {
    return this.#connections.some(({ ready }) => ready);
  }

  /** In turn, those that are ready. */
  pick(): Connection | null {
    const all = this.#connections;
    for (let tries = 0; tries < all.length; tries++) {
      this.#next = (this.#next + 1) % all.length;
      const connection = all[this.#next] as Connection;
      if (connection.ready) return connection;
    }
    return null;
  }

  /** Null when none is ready by then. */
  async soonReady(withinMs: number): Promise<Connection | null> {
    if (this.pick() === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.pick();
  }

  get loss(): StoreError {
    return (this.#connections[0] as Connection).loss;
  }

  slotOf(): number {
    return 0;
  }

  dial(): void {
    for (const connection of this.#connections) connection.dial();
  }

  /** Dials anew what leads to a server that is the master no more. */
  leave(address: string): void {
    for (const connection of this.#connections) if (connection.master === address) connection.drop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }
}

export function redisStats(): RedisStoreStats {
  return {
    batches: 0,
    hits: 0,
    inFlight: 0,
    connects: 0,
    reconnects: 0,
    errors: { timeout: 0, unavailable: 0, busy: 0, script: 0, counter: 0 },
  };
}
