/** Fixed windows as the field has them: whole seconds from the epoch. Written apart from weir's own table on purpose. */
export const WINDOW_SECONDS: Readonly<Record<string, number>> = {
  SECOND: 1,
  MINUTE: 60,
  HOUR: 3_600,
  DAY: 86_400,
  WEEK: 604_800,
  MONTH: 2_592_000,
  YEAR: 31_536_000,
};

/** Server and test read the clock at different moments, and both round. */
const SLACK_SECONDS = 2;

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Is `left` what a window of `seconds` shows now as the time to its end? */
export function isRestOfWindow(seconds: number, left: number): boolean {
  if (seconds === 1) return left === 0 || left === 1;
  if (!(Number.isInteger(left) && left >= 1 && left <= seconds)) return false;
  const off = Math.abs(seconds - (nowSeconds() % seconds) - left);
  return Math.min(off, seconds - off) <= SLACK_SECONDS;
}

const PLACEHOLDER = /<([A-Z]+)>$/;

/** `.._<HOUR>` -> 3600, NaN without a placeholder. */
export const secondsOfName = (name: string): number => WINDOW_SECONDS[PLACEHOLDER.exec(name)?.[1] ?? ''] ?? Number.NaN;

/** `.._<HOUR>` -> `.._1795248000`, the window of now. */
export function keyOfName(name: string): string {
  const seconds = secondsOfName(name);
  return name.replace(PLACEHOLDER, () => String(Math.floor(nowSeconds() / seconds) * seconds));
}

/** `.._1795248000` -> `.._<HOUR>`: the shortest window that starts there and is no shorter than the time to live. */
export function nameOfKey(key: string, ttlSeconds: number): string {
  const cut = key.lastIndexOf('_') + 1;
  const start = Number(key.slice(cut));
  for (const [unit, seconds] of Object.entries(WINDOW_SECONDS)) {
    const current = Math.floor(nowSeconds() / seconds) * seconds;
    if (ttlSeconds <= seconds && (start === current || start === current - seconds))
      return `${key.slice(0, cut)}<${unit}>`;
  }
  return `${key.slice(0, cut)}<?>`;
}
