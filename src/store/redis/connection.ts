import type { Command, Redis } from 'ioredis';
import type { StoreError } from '../../core/ports.ts';
import { CLOSE_TIMEOUT_MS, type RedisClientOptions, redisClient } from './connect.ts';
import { isRefusal, plainError, refusedByRedis, unavailable } from './failure.ts';
import type { SentinelTarget, SingleTarget } from './target.ts';

export interface ConnectionOptions extends RedisClientOptions {
  readonly onReady: () => void;
  /** It was lost, or a dial failed and it never was `ready`. `cause` holds no password and no key. */
  readonly onLost: (cause: Error | undefined, wasReady: boolean) => void;
}

/** ioredis gives up for good when a dial throws at once (a broken certificate, say); then this is the pause. */
const REDIAL_MS = 1_000;

/** A server that is still a replica when it is dialled anew is not dialled again before this. */
const LEAST_AGE_TO_DROP_MS = 200;

/** One connection to one server, dialled for ever until it is closed. */
export class Connection {
  readonly #client: Redis;
  readonly #options: ConnectionOptions;
  #lastCause: Error | undefined;
  /** How Redis refused the newest login, when that is why there is no connection. */
  #refusal: StoreError | null = null;
  /** 0 while it is not. */
  #readyAtMs = 0;
  #master: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(target: SingleTarget | SentinelTarget, options: ConnectionOptions) {
    this.#options = options;
    this.#client = redisClient(target, options, (master) => {
      this.#master = master;
    });
    this.#watch();
  }

  get ready(): boolean {
    return this.#client.status === 'ready';
  }

  /** The address that a sentinel gave for the newest dial. */
  get master(): string | null {
    return this.#master;
  }

  /** Why it is not ready. */
  get loss(): StoreError {
    return this.#refusal ?? unavailable(this.#lastCause);
  }

  dial(): void {
    if (this.#closing === null) this.#client.connect().catch(ignore);
  }

  send(command: Command): Promise<unknown> {
    return this.#client.sendCommand(command) as Promise<unknown>;
  }

  /** What `write` sends goes out in one piece. */
  together<T>(write: () => T): T {
    const { stream } = this.#client;
    stream?.cork();
    try {
      return write();
    } finally {
      stream?.uncork();
    }
  }

  /** For a server that is not the one we want any more: dials anew, and asks anew where it is. */
  drop(): void {
    if (this.ready && performance.now() - this.#readyAtMs >= LEAST_AGE_TO_DROP_MS) this.#client.disconnect(true);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const client = this.#client;
    // Only a client with a socket tells its end, and a sentinel that is silent may hold that back.
    const hasSocket = ['connecting', 'connect', 'ready'].includes(client.status);
    let timer: NodeJS.Timeout | undefined;
    const ended = new Promise<void>((resolve) => {
      client.once('end', resolve);
      timer = setTimeout(resolve, 2 * CLOSE_TIMEOUT_MS);
    });
    client.disconnect();
    if (hasSocket) await ended;
    clearTimeout(timer);
  }

  #watch(): void {
    const client = this.#client;
    client.on('connecting', () => {
      this.#lastCause = undefined;
    });
    client.on('ready', () => {
      this.#readyAtMs = performance.now();
      this.#refusal = null;
      this.#options.onReady();
    });
    client.on('error', (error: unknown) => {
      this.#lastCause = plainError(error);
      const refusal = isRefusal(error) ? refusedByRedis(error.message) : null;
      this.#refusal = refusal?.code === 'unavailable' ? refusal : null;
      // ioredis goes on after a refused SELECT, and would count in database 0.
      if (refusal !== null) client.disconnect(true);
    });
    client.on('close', () => {
      const wasReady = this.#readyAtMs > 0;
      this.#readyAtMs = 0;
      // A connection that was closed on purpose is not lost.
      if (this.#closing === null) this.#options.onLost(this.#lastCause, wasReady);
    });
    client.on('end', () => {
      if (this.#closing === null) setTimeout(() => this.dial(), REDIAL_MS).unref();
    });
  }
}

function ignore(): void {}
