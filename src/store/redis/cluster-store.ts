import { Command } from 'ioredis';
import { type Store, StoreError } from '../../core/ports.ts';
import { acrossStores } from '../across-stores.ts';
import type { BatchWatcher } from '../breaker.ts';
import { deadline } from '../deadline.ts';
import type { Connection } from './connection.ts';
import { unavailable } from './failure.ts';
import { type Destination, Lane } from './lane.ts';
import { Pool, redisStats } from './pooled-store.ts';
import type { FullOptions, RedisStore } from './redis-store.ts';
import { SLOTS, slotOf } from './slot.ts';
import type { ClusterTarget, HostPort } from './target.ts';
import { type Range, rangesOf, redirection } from './topology.ts';

/** How often we look whether a slot lacks its master, and then ask who it is. */
const LOOK_EVERY_MS = 200;
/** Who asks whom when all is well: a node that has left would be kept otherwise. */
const LEARN_EVERY_MS = 10_000;
/** A node without slots is kept for those that are being moved to it. */
const KEEP_UNUSED_MS = 60_000;
/** It may be on the way to us, because another one sent us there. */
const KEEP_UNREADY_MS = 5_000;
/** A script whose keys are half here and half there is refused until the move is done. */
const TRY_AGAIN_MS = 10;
const MOST_DIAL_MS = 1_000;
/** They fall into slots of most masters. */
const MOST_KEYS_TO_ASK = 16;

/**
 * Counts in a cluster: a script call for each slot, all those of a node in one write. The nodes are learned from CLUSTER
 * SLOTS and kept here, because ioredis's own cluster client queues what it can't send and reads passwords only once.
 */
export function clusterStore(target: ClusterTarget, options: FullOptions, address: string): RedisStore {
  return new ClusterStore(target, options, address);
}

interface Node extends HostPort {
  readonly key: string;
  readonly pool: Pool;
  readonly lane: Lane;
  readonly guarded: Store;
  usedAtMs: number;
}

class ClusterStore implements RedisStore {
  readonly name = 'redis';
  readonly address: string;
  readonly stats = redisStats();
  readonly #target: ClusterTarget;
  readonly #options: FullOptions;
  readonly #nodes = new Map<string, Node>();
  /** The master of each slot; a hole where none is known. */
  #masters: (Node | undefined)[] = [];
  /** The same nodes, each once; undefined among them when a slot has none. */
  #needed: ReadonlySet<Node | undefined> = new Set([undefined]);
  /** One store for each slot, so that hits of one slot are charged by one script, and others across scripts. */
  readonly #slots: Store[] = [];
  readonly #across: Store;
  #watcher: BatchWatcher | null = null;
  #complete = false;
  #everAnswered = false;
  #learning: Promise<void> | null = null;
  #learnedAtMs = 0;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | null = null;

  constructor(target: ClusterTarget, options: FullOptions, address: string) {
    this.address = address;
    this.#target = target;
    this.#options = { ...options, connectTimeoutMs: Math.min(options.connectTimeoutMs, MOST_DIAL_MS) };
    const across = acrossStores({ route: ({ key }) => this.#route(slotOf(key)) });
    this.#across = deadline(across, { timeoutMs: options.commandTimeoutMs });
    // Files that can't be read are told at once, and not first by a dial.
    this.#seed();
  }

  /** Every slot has a master that can be asked. */
  get connected(): boolean {
    return [...this.#needed].every((node) => node !== undefined && isReady(node));
  }

  get connections(): number {
    return [...this.#nodes.values()].reduce((sum, { pool }) => sum + pool.ready, 0);
  }

  get everAnswered(): boolean {
    return this.#everAnswered;
  }

  async start(): Promise<void> {
    if (this.#stopping !== null || this.#timer !== undefined) return;
    for (const { pool } of this.#nodes.values()) pool.dial();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#finish();
    return this.#stopping;
  }

  watch(watcher: BatchWatcher): void {
    this.#watcher = watcher;
    for (const { lane } of this.#nodes.values()) lane.watch(watcher);
  }

  /** Refuses before anything is charged when one of the slots has no master that can be asked. */
  take: Store['take'] = async (...args) => {
    if (this.#stopping !== null) throw this.#failure(unavailable());
    return this.#across.take(...args);
  };

  /** Some master counts: the others' counters may be refused meanwhile, as calls tell. */
  async countsNow(key: string): Promise<void> {
    const asked = new Map<Node, string>();
    for (let i = 0; i < MOST_KEYS_TO_ASK; i++) {
      const node = this.#masters[slotOf(`${key}_${i}`)];
      if (node !== undefined && !asked.has(node)) asked.set(node, `${key}_${i}`);
    }
    if (asked.size === 0) throw new StoreError('unavailable', NO_MASTER);
    const answers = [...asked].map(([{ lane }, its]) => lane.countsNow(its));
    await Promise.any(answers).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }

  #failure(error: StoreError): StoreError {
    this.stats.errors[error.code]++;
    return error;
  }

  #master(slot: number): Node {
    const node = this.#masters[slot];
    if (node === undefined) throw this.#failure(new StoreError('unavailable', NO_MASTER));
    return node;
  }

  /** All hits of a request are routed before any of them is charged. */
  #route(slot: number): Store {
    const node = this.#master(slot);
    if (!isReady(node)) throw this.#failure(node.pool.loss);
    return this.#slotStore(slot);
  }

  #slotStore(slot: number): Store {
    this.#slots[slot] ??= {
      take: async (hits, charge, nowUs, caller) => {
        const node = this.#master(slot);
        node.usedAtMs = performance.now();
        return node.guarded.take(hits, charge, nowUs, caller);
      },
    };
    return this.#slots[slot];
  }

  #node({ host, port }: HostPort): Node {
    const key = `${host}:${port}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { username, password, authFile, tls } = this.#target;
    const single = { type: 'single', address: { host, port }, username, password, authFile, db: 0, tls } as const;
    const pool = new Pool(single, this.#options, this.stats, () => this.#learn());
    const server = {
      get anyReady() {
        return pool.anyReady;
      },
      pick: () => pool.pick(),
      get loss() {
        return pool.loss;
      },
      slotOf,
      follow: (error: Error, from: Connection) => this.#follow(error, host, from),
    };
    const lane = new Lane(server, this.#options, this.stats);
    if (this.#watcher !== null) lane.watch(this.#watcher);
    const guarded = this.#options.guard?.(lane) ?? lane;
    const node = { key, host, port, pool, lane, guarded, usedAtMs: performance.now() };
    this.#nodes.set(key, node);
    return node;
  }

  #dialled(address: HostPort): Node {
    const known = this.#nodes.has(`${address.host}:${address.port}`);
    const node = this.#node(address);
    if (!known && this.#stopping === null) node.pool.dial();
    return node;
  }

  #seed(): void {
    for (const address of this.#target.nodes) this.#node(address);
  }

  /** Where a node sends us. It has counted nothing when it does. */
  async #follow({ message }: Error, host: string, from: Connection): Promise<Destination | null> {
    if (message.startsWith('TRYAGAIN')) {
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      return { connection: from, asking: false };
    }
    if (message.startsWith('CLUSTERDOWN')) void this.#learn();
    const to = redirection(message, host);
    if (to === null) return null;
    const node = this.#dialled(to);
    node.usedAtMs = performance.now();
    if (!to.asking) {
      this.#masters[to.slot] = node;
      void this.#learn();
    }
    const connection = node.pool.pick() ?? (await node.pool.soonReady(this.#options.commandTimeoutMs));
    return connection === null ? null : { connection, asking: to.asking };
  }

  #look(): void {
    if (this.#nodes.size === 0 || this.connections === 0) {
      for (const address of this.#target.nodes) this.#dialled(address);
    }
    const due = performance.now() - this.#learnedAtMs > LEARN_EVERY_MS;
    if (due || !this.connected) void this.#learn();
    this.#tellConnected();
  }

  #tellConnected(): void {
    const now = this.connected;
    if (now && !this.#complete) this.#options.onConnected?.();
    this.#complete = now;
  }

  /** Asks the nodes in turn, another one first each time: what one of them believes may be old. */
  #learn(): Promise<void> {
    this.#learning ??= this.#ask().finally(() => {
      this.#learning = null;
    });
    return this.#learning;
  }

  async #ask(): Promise<void> {
    const ready = [...this.#nodes.values()].filter(isReady);
    const first = this.#asked++;
    for (let i = 0; i < ready.length && this.#stopping === null; i++) {
      const node = ready[(first + i) % ready.length] as Node;
      const connection = node.pool.pick();
      if (connection === null) continue;
      try {
        const reply = await node.lane.ask(connection, new Command('cluster', ['slots'], { replyEncoding: 'utf8' }));
        this.#everAnswered = true;
        const ranges = rangesOf(reply, node.host);
        if (ranges.length === 0 || this.#stopping !== null) continue;
        this.#adopt(ranges);
        this.#tellConnected();
        return;
      } catch {
        // It is counted and told as an error of the store; the next one is asked.
      }
    }
  }

  #adopt(ranges: readonly Range[]): void {
    const masters: (Node | undefined)[] = new Array(SLOTS).fill(undefined);
    for (const { from, to, master } of ranges) {
      masters.fill(this.#dialled(master), from, to + 1);
    }
    this.#masters = masters;
    this.#needed = new Set(masters);
    this.#learnedAtMs = performance.now();
    for (const node of this.#nodes.values()) {
      const keepMs = isReady(node) ? KEEP_UNUSED_MS : KEEP_UNREADY_MS;
      if (this.#needed.has(node) || !node.lane.idle || performance.now() - node.usedAtMs < keepMs) continue;
      this.#nodes.delete(node.key);
      void node.pool.close();
    }
  }

  async #finish(): Promise<void> {
    clearInterval(this.#timer);
    const nodes = [...this.#nodes.values()];
    await Promise.all(nodes.map(({ lane }) => lane.finish(this.#options.stopTimeoutMs)));
    await Promise.all([...this.#nodes.values()].map(({ pool }) => pool.close()));
  }
}

const NO_MASTER = 'the Redis cluster has no master for this counter';

function isReady({ pool }: Node): boolean {
  return pool.anyReady;
}
