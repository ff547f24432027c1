import type { Percentiles } from './histogram.ts';

/** What the loader is told to do. */
export interface Order {
  readonly port: number;
  readonly scenario: string;
  readonly loop: Loop;
  readonly warmUpMs: number;
  readonly countedMs: number;
  readonly seed: number;
  /** The pids whose CPU time is read, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

/**
 * `closed`: so many calls are in flight, the next when one ends. `open`: calls are due at random moments, as those of
 * many callers who know nothing of each other, and are sent whether or not others were answered. `each`: as closed, each
 * message once.
 */
export type Loop =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly perSecond: number }
  | { readonly kind: 'each' };

export interface Outcome {
  /** In the time that was counted. */
  readonly answered: number;
  /** Of these, or later of those sent in it: another answer than the scenario's, or none. */
  readonly failed: number;
  readonly seconds: number;
  /** Per call that was answered. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** How much of its core each used, and the loader. */
  readonly busy: Readonly<Record<string, number>>;
  /** From the moment when a call was due to the end of its answer. */
  readonly latency: Percentiles;
  /** From the moment when a call was due to that when it was sent; part of the above. */
  readonly lag: Percentiles;
}
