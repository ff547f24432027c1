export interface BackoffOptions {
  /** The first wait after a stream that served, or at the very start. */
  readonly retryMs: number;
  /** The second wait; each further one is twice as long. */
  readonly initialMs: number;
  readonly maxMs: number;
  /** 0..1: by how much of itself a wait may be shorter or longer, so that many processes don't come in step. */
  readonly jitter: number;
}

/** Whatever the settings say: nobody dials in a loop. */
const LEAST_MS = 100;

/** How long to wait after `failures` streams in a row that did not serve. `random` from 0 up to 1. */
export function waitMs(failures: number, options: BackoffOptions, random: number): number {
  const { retryMs, initialMs, maxMs, jitter } = options;
  const doubled = Math.max(initialMs, LEAST_MS) * 2 ** Math.min(Math.max(failures - 2, 0), 30);
  const wait = Math.min(failures < 2 ? retryMs : doubled, maxMs);
  return Math.max(LEAST_MS, Math.round(wait * (1 + jitter * (2 * random - 1))));
}
