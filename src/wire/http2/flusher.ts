/** Writes of all connections of a server, once at the end of each turn of the event loop. */
export interface Flusher {
  add(connection: { flush(): void }): void;
}

export function flusher(): Flusher {
  let waiting: { flush(): void }[] = [];
  const flushAll = (): void => {
    const now = waiting;
    waiting = [];
    for (const connection of now) connection.flush();
  };
  return {
    add(connection) {
      if (waiting.push(connection) === 1) setImmediate(flushAll);
    },
  };
}
