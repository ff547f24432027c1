/** What took longer than it may. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
  constructor(ms: number) {
    super(`took longer than ${ms} ms`);
  }
}

/**
 * The promise, or TooLate after so long. What it does later is ignored. The timer keeps the process alive: a promise
 * that hangs with nothing open must not end it before its time.
 */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // An answer that is here already is read before this runs.
    timer = setTimeout(() => setImmediate(() => reject(new TooLate(ms))), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
