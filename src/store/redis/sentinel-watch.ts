import type { Redis } from 'ioredis';
import { addressOf, type RedisClientOptions, type SentinelDial, sentinelDial } from './connect.ts';
import type { SentinelTarget } from './target.ts';

/** A sentinel itself may take a second to see that its replica has become the master. */
const ASK_EVERY_MS = 500;

/** Whoever dials anew may meet a sentinel that has not yet heard, but never for long. */
const LEAVE_FOR_MS = 3_000;

/**
 * Asks one sentinel, and the next one when it fails, who the master is. A master that was demoted may take writes for
 * many seconds more, and all of them are lost: once another one is named, the old one is to be left.
 */
export class SentinelWatch {
  readonly #target: SentinelTarget;
  readonly #leave: (address: string) => void;
  readonly #dial: SentinelDial;
  #turn = 0;
  #client: Redis | null = null;
  #asking = false;
  #master: string | null = null;
  #left: { readonly address: string; readonly untilMs: number } | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `leave` is told more than once which address is not the master's any more. */
  constructor(target: SentinelTarget, options: RedisClientOptions, leave: (address: string) => void) {
    this.#target = target;
    this.#leave = leave;
    this.#dial = sentinelDial(target, options);
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#ask(), ASK_EVERY_MS).unref();
    void this.#ask();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#hangUp();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#client ??= this.#dial(this.#turn);
      const named = await this.#client.call('SENTINEL', 'get-master-addr-by-name', this.#target.master);
      if (!Array.isArray(named)) throw new Error('a sentinel that does not know the master');
      this.#hear(addressOf(String(named[0]), String(named[1])));
    } catch {
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
    if (this.#left !== null && nowMs < this.#left.untilMs) this.#leave(this.#left.address);
  }

  #hangUp(): void {
    this.#client?.disconnect();
    this.#client = null;
  }
}
