/** Runs `task` once, `ms` from now, without keeping the process alive. */
export type Delay = (ms: number, task: () => void) => void;

export interface OnceASecond<Detail> {
  /** `kind` tells failures apart: those of one kind share a line. */
  happened(kind: string, detail: Detail): void;
  /** Writes what has been counted and not told yet. */
  flush(): void;
}

interface Pending<Detail> {
  count: number;
  detail: Detail;
}

/** Kinds beyond this share one, so that texts made by a failing neighbour can't fill the memory. */
const MAX_KINDS = 64;
const REST = 'other';

/**
 * The first failure of a kind is told at once; those of the following second are told together with their count and
 * the newest detail, and so on until a second passes without one.
 */
export function onceASecond<Detail>(
  tell: (detail: Detail, count: number) => void,
  delay: Delay = (ms, task) => void setTimeout(task, ms).unref(),
): OnceASecond<Detail> {
  const pending = new Map<string, Pending<Detail>>();

  function secondIsOver(kind: string): void {
    const { count, detail } = pending.get(kind)!;
    if (count === 0) {
      pending.delete(kind);
      return;
    }
    pending.set(kind, { count: 0, detail });
    delay(1000, () => secondIsOver(kind));
    tell(detail, count);
  }

  return {
    happened(kind, detail) {
      const name = pending.has(kind) || pending.size < MAX_KINDS ? kind : REST;
      const known = pending.get(name);
      if (known !== undefined) {
        known.count++;
        known.detail = detail;
        return;
      }
      pending.set(name, { count: 0, detail });
      delay(1000, () => secondIsOver(name));
      tell(detail, 1);
    },
    flush() {
      for (const each of pending.values()) {
        if (each.count > 0) tell(each.detail, each.count);
        each.count = 0;
      }
    },
  };
}
