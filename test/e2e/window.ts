interface Window {
  readonly unit: 'hour' | 'day' | 'month' | 'year';
  readonly seconds: number;
}

const WINDOWS: readonly Window[] = [
  { unit: 'hour', seconds: 3_600 },
  { unit: 'day', seconds: 86_400 },
  { unit: 'month', seconds: 2_592_000 },
  { unit: 'year', seconds: 31_536_000 },
];

// The whole suite takes less than that.
const ENOUGH_SECONDS = 240;

/**
 * The shortest window that does not end while the suite runs, so that no case meets a boundary and none waits for one.
 * All windows end together only every 31,536,000 seconds.
 */
export const WINDOW: Window = WINDOWS.find((w) => secondsLeft(w) > ENOUGH_SECONDS) ?? WINDOWS[0]!;

/** As Envoy's enums write it. */
export const WINDOW_ENUM = WINDOW.unit.toUpperCase();

/** Whole seconds until the window ends, as a limiter tells them: 1 to its length. */
export function secondsLeft(window: Window = WINDOW): number {
  return window.seconds - (Math.floor(Date.now() / 1000) % window.seconds);
}

/** Where the window began, in seconds since the epoch: the end of every counter key. */
export function windowStart(window: Window = WINDOW): number {
  const now = Math.floor(Date.now() / 1000);
  return now - (now % window.seconds);
}
