import { readFileSync } from 'node:fs';

/** What kept callers and a service from running, so that a bound on calls can be held against the service alone. */
export interface Hindrance {
  /** Milliseconds of these, as `performance.now()` has them, that are not the service's doing. */
  between(fromMs: number, toMs: number): number;
  stop(): void;
}

/** What happened up to a moment, since the one before. */
export interface Sample {
  readonly atMs: number;
  /** This process's own event loop was so late. */
  readonly lateMs: number;
  /** The service wanted to run so long, and got no processor. What it does while it runs is its own doing. */
  readonly waitedMs: number;
}

const TICK_MS = 5;

export function hindrance(servicePid: number): Hindrance {
  const samples: Sample[] = [{ atMs: performance.now(), lateMs: 0, waitedMs: 0 }];
  let waitedMs = waitedForProcessorMs(servicePid);
  const timer = setInterval(() => {
    const atMs = performance.now();
    const before = waitedMs;
    waitedMs = waitedForProcessorMs(servicePid);
    const lateMs = Math.max(0, atMs - (samples.at(-1) as Sample).atMs - TICK_MS);
    samples.push({ atMs, lateMs, waitedMs: waitedMs - before });
  }, TICK_MS);
  return {
    between: (fromMs, toMs) => hinderedMs(samples, fromMs, toMs),
    stop: () => clearInterval(timer),
  };
}

/** Both may be kept waiting at once, so it is never more than what passed between two samples. */
export function hinderedMs(samples: readonly Sample[], fromMs: number, toMs: number): number {
  let sum = 0;
  for (let i = 1; i < samples.length; i++) {
    const { atMs, lateMs, waitedMs } = samples[i] as Sample;
    const beganMs = (samples[i - 1] as Sample).atMs;
    if (atMs < fromMs) continue;
    if (beganMs > toMs) break;
    sum += Math.min(lateMs + waitedMs, atMs - beganMs);
  }
  return sum;
}

/** Of the main thread, from /proc; 0 where the system does not tell. */
function waitedForProcessorMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}
