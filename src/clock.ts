import type { Clock } from './core/ports.ts';

const RESYNC_MS = 1_000;
/** By more than this the clock was wrong before, and is followed back. */
const STANDS_STILL_US = 5_000_000;

/**
 * The host's clock in microseconds. Between two looks at it, at most a second apart, the monotonic clock fills in the
 * digits that Date.now() lacks, so that it follows NTP.
 *
 * When the host's clock is set back by a little, this one stands still until it has caught up: a window that has ended,
 * whose counter a store may have forgotten, does not begin anew.
 */
export function systemClock(): Clock {
  let offsetMs = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let lastUs = 0;
  return {
    nowUs() {
      const monotonicMs = performance.now();
      if (monotonicMs - lookedAtMs > RESYNC_MS) {
        offsetMs = Date.now() - monotonicMs;
        lookedAtMs = monotonicMs;
      }
      const nowUs = Math.floor((offsetMs + monotonicMs) * 1_000);
      if (nowUs < lastUs && lastUs - nowUs <= STANDS_STILL_US) return lastUs;
      lastUs = nowUs;
      return nowUs;
    },
  };
}
