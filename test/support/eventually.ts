const PAUSE_MS = 15;

/** How long a poll waits for what must come. `PATIENCE_MS` shortens it for a run that is known to wait in vain. */
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 15_000);

/**
 * Polls until `probe` returns something other than undefined and false, and returns that. A probe that throws is asked
 * again; the last error ends up in the message when the deadline passes.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = PATIENCE_MS,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + deadlineMs;
  let last: unknown = 'nothing yet';
  do {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  } while (Date.now() < end);
  throw new Error(`waited ${deadlineMs} ms in vain for ${what}: ${last instanceof Error ? last.message : last}`);
}
