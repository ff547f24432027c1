import type { Clock } from './core/ports.ts';

const RESYNC_MS = 1_000;

/**
 * The host's clock in microseconds. Between two looks at it, at most a second apart, the monotonic clock fills in the
 * digits that Date.now() lacks; so it follows NTP, and may step back by as much as the host's clock does.
 */
export function systemClock(): Clock {
  let offsetMs = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  return {
    nowUs() {
      const monotonicMs = performance.now();
      if (monotonicMs - lookedAtMs > RESYNC_MS) {
        offsetMs = Date.now() - monotonicMs;
        lookedAtMs = monotonicMs;
      }
      return Math.floor((offsetMs + monotonicMs) * 1_000);
    },
  };
}
