import type { Redis } from 'ioredis';
import { addressOf, type RedisClientOptions, type SentinelDial, sentinelDial } from './connect.ts';
import { plainError } from './failure.ts';
import { type HostPort, type SentinelTarget, shownAddress } from './target.ts';

/** A sentinel itself may take a second to see that its replica has become the master. */
const ASK_EVERY_MS = 500;

/** Whoever dials anew may meet a sentinel that has not yet heard, but never for long. */
const LEAVE_FOR_MS = 3_000;

export interface SentinelWatchOptions extends RedisClientOptions {
  /** Told more than once which address is not the master's any more. */
  readonly leave: (address: string) => void;
  /** A sentinel did not answer, or does not know the master. `cause` holds no password. */
  readonly onUnheard: (sentinel: string, cause: Error | undefined) => void;
}

/**
 * Asks one sentinel, and the next one when it fails, who the master is. A master that was demoted may take writes for
 * many seconds more, and all of them are lost: once another one is named, the old one is to be left.
 */
export class SentinelWatch {
  readonly #target: SentinelTarget;
  readonly #options: SentinelWatchOptions;
  readonly #dial: SentinelDial;
  #turn = 0;
  #stopped = false;
  #client: Redis | null = null;
  /** What went wrong with it: ioredis tells whoever asked only that it is closed. */
  #trouble: Error | undefined;
  #asking = false;
  #master: string | null = null;
  #left: { readonly address: string; readonly untilMs: number } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: SentinelTarget, options: SentinelWatchOptions) {
    this.#target = target;
    this.#options = options;
    this.#dial = sentinelDial(target, options);
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#ask(), ASK_EVERY_MS).unref();
    void this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#hangUp();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const client = this.#client ?? this.#dialled();
      const named = await client.call('SENTINEL', 'get-master-addr-by-name', this.#target.master);
      if (!Array.isArray(named)) throw new Error('a sentinel that does not know the master');
      this.#hear(addressOf(String(named[0]), String(named[1])));
    } catch (error) {
      if (!this.#stopped) this.#options.onUnheard(this.#sentinel, this.#trouble ?? plainError(error));
      this.#hangUp();
      this.#turn++;
    } finally {
      this.#asking = false;
    }
  }

  #hear(master: string): void {
    const nowMs = performance.now();
    if (this.#master !== null && this.#master !== master) {
      this.#left = { address: this.#master, untilMs: nowMs + LEAVE_FOR_MS };
    }
    this.#master = master;
    if (this.#left !== null && nowMs < this.#left.untilMs) this.#options.leave(this.#left.address);
  }

  get #sentinel(): string {
    const { sentinels } = this.#target;
    return shownAddress(sentinels[this.#turn % sentinels.length] as HostPort);
  }

  #dialled(): Redis {
    const client = this.#dial(this.#turn);
    this.#trouble = undefined;
    client.on('error', (error: unknown) => {
      this.#trouble ??= plainError(error);
    });
    this.#client = client;
    return client;
  }

  #hangUp(): void {
    this.#client?.disconnect();
    this.#client = null;
  }
}
