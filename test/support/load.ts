/** Sends calls at a rate, whether or not earlier ones were answered, as independent callers do. */
export interface OpenLoop {
  /** Stops sending, and resolves when every call has ended. */
  finish(): Promise<readonly Ended[]>;
  /** Calls begun so far. */
  begun(): number;
}

export interface Ended {
  /** Milliseconds since the loop began. */
  readonly atMs: number;
  readonly tookMs: number;
  /** What the call resolved with; the error of one that was rejected. */
  readonly outcome: unknown;
}

const TICK_MS = 5;

/** `call` gets the number of the call, from 0. */
export function openLoop(perSecond: number, call: (i: number) => Promise<unknown>): OpenLoop {
  const startMs = performance.now();
  const calls: Promise<Ended>[] = [];

  async function one(i: number): Promise<Ended> {
    const begunMs = performance.now();
    const outcome = await call(i).catch((error: unknown) => error);
    return { atMs: begunMs - startMs, tookMs: performance.now() - begunMs, outcome };
  }

  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) * perSecond) / 1_000;
    while (calls.length < due) calls.push(one(calls.length));
  }, TICK_MS);

  return {
    begun: () => calls.length,
    finish() {
      clearInterval(timer);
      return Promise.all(calls);
    },
  };
}

/** The smallest of them that this part is not above. */
export function percentile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}
