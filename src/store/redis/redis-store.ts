import type { Part, Store, StoreError } from '../../core/ports.ts';
import type { Batching } from '../breaker.ts';
import type { BatchOptions } from './batch.ts';
import { clusterStore } from './cluster-store.ts';
import type { RedisClientOptions } from './connect.ts';
import type { RedisStoreStats } from './lane.ts';
import { pooledStore } from './pooled-store.ts';
import { type RedisTargetOptions, redactedUrl, redisTarget } from './target.ts';

const DEFAULTS = {
  connectTimeoutMs: 1_000,
  commandTimeoutMs: 100,
  expirationJitterMaxSeconds: 300,
  poolSize: 1,
  windowMs: 0,
  maxBatchHits: 1_024,
  maxBatchesInFlight: 128,
  stopTimeoutMs: 1_000,
} as const;

/** A connection is given up for dead after so many command timeouts of silence, but not before half a second. */
const STALL_TIMEOUTS = 5;
const LEAST_STALL_MS = 500;

export interface RedisStoreOptions extends RedisTargetOptions, Partial<RedisClientOptions>, Partial<BatchOptions> {
  /** How long a call may wait, all its round trips together. A hit that timed out may still be counted, once. */
  readonly commandTimeoutMs?: number;
  /** Connections to each server, used in turn by batches. */
  readonly poolSize?: number;
  /** How long hits are collected, in whole milliseconds; 0: for one turn of the event loop. */
  readonly windowMs?: number;
  /** Hits in one write. One request with more of them is a write of its own. */
  readonly maxBatchHits?: number;
  /** Writes that one server has not answered; beyond it take() rejects with `busy`, or `unavailable` when one is late. */
  readonly maxBatchesInFlight?: number;
  /** How long stop() waits for what is in flight. */
  readonly stopTimeoutMs?: number;
  /** What stands between the store and each server: a breaker, say. A single Redis or Sentinel is one server. */
  readonly guard?: (server: Store & Batching) => Store;
  /** A batch came to its end after so many microseconds; null when Redis counted. What comes later is not told. */
  readonly onBatch?: (hits: number, tookUs: number, error: StoreError | null) => void;
  readonly onConnected?: () => void;
  /** A connection was lost or a dial failed. `cause` holds no password and no key; it may hold the address. */
  readonly onDisconnected?: (cause: Error | undefined, loss: Loss) => void;
}

/** A connection that is not there. */
export interface Loss {
  /** `host:port` or a path, for logs; null when no sentinel has said where the master is. */
  readonly server: string | null;
  /** It was lost; else it never was there. */
  readonly wasReady: boolean;
}

/** The options with all that has a default. */
export type FullOptions = RedisStoreOptions &
  RedisClientOptions &
  BatchOptions & { [K in keyof typeof DEFAULTS]: number };

export interface RedisStore extends Store, Part, Batching {
  readonly stats: Readonly<RedisStoreStats>;
  /** The address for logs, without a password. */
  readonly address: string;
  /** Now: to every server that is needed. */
  readonly connected: boolean;
  /** Connections that are ready. */
  readonly connections: number;
  /** Redis has answered at least once since the start. */
  readonly everAnswered: boolean;
  /**
   * Charges a counter of its own, past any guard. Rejects with StoreError when that is not counted within the command
   * timeout. In a cluster it is enough that one master counts.
   */
  countsNow(key: string): Promise<void>;
}

/**
 * Counts in Redis: all hits of one turn of the event loop in one script call, in a cluster one for each slot. Throws an
 * Error with a sentence when the address or a file is not understood. start() does not wait for Redis; until it is
 * there, take() rejects at once.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  const target = redisTarget(options);
  const address = redactedUrl(options.url);
  if (target.type === 'cluster') return clusterStore(target, withDefaults(options), address);
  return pooledStore(target, withDefaults(options), address);
}

/** Absent and undefined options take their default. */
function withDefaults(options: RedisStoreOptions): FullOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const full = { random: Math.random, ...DEFAULTS, ...given } as Omit<FullOptions, 'stallTimeoutMs'>;
  return { stallTimeoutMs: Math.max(LEAST_STALL_MS, STALL_TIMEOUTS * full.commandTimeoutMs), ...full };
}
