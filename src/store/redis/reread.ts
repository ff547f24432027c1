/**
 * What files say, read anew at each call: passwords and certificates are replaced while a service runs. Throws when
 * they can't be read now. Later the last that was read stays, for a file may be away for the moment of its replacement.
 */
export function reread<T>(what: string, read: () => T): () => T {
  let last: T;
  try {
    last = read();
  } catch (error) {
    // Only the code: what a parser says could hold a piece of what it read.
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${what} can't be used${code === undefined ? '' : `: ${code}`}`);
  }
  return () => {
    try {
      last = read();
    } catch {}
    return last;
  };
}
