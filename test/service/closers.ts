/** Closes what a suite has opened when the suite is over, the newest first, also when its `before` failed. */
export function closers(): <T>(opened: T, close: () => unknown) => T {
  const all: (() => unknown)[] = [];
  after(async () => {
    for (const close of all.reverse()) await close();
  });
  return (opened, close) => {
    all.push(close);
    return opened;
  };
}
