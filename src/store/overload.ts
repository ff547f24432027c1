import { type Store, StoreError } from '../core/ports.ts';

export interface OverloadOptions {
  /** How late the event loop is now. */
  readonly lagMs: () => number;
  /** Beyond it calls fail as `busy`. */
  readonly maxLagMs: number;
}

/** Refuses calls at once while the event loop is too late: they have waited for longer than their callers would. */
export function overload(inner: Store, { lagMs, maxLagMs }: OverloadOptions): Store {
  return {
    take(...args) {
      const lateMs = lagMs();
      if (lateMs <= maxLagMs) return inner.take(...args);
      return Promise.reject(new StoreError('busy', `the event loop is ${Math.round(lateMs)} ms late`));
    },
  };
}
