import { admit, type BreakerState, CLOSED, release, settle, wake } from '../core/breaker.ts';
import { type Clock, type Store, StoreError } from '../core/ports.ts';

/** A store that sends hits together tells what became of each batch, since one failure of it fails many calls. */
export interface Batching {
  /** Called once, before the first hit. */
  watch(watcher: BatchWatcher): void;
}

export interface BatchWatcher {
  /** A batch goes out. What is returned is told once, when its callers are: null when the store could count. */
  sent(): (error: StoreError | null) => void;
  /** The store has said something outside of any batch. */
  heard(): void;
}

export interface BreakerOptions {
  readonly clock: Clock;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** `cause` is the failure that opened it. */
  readonly onChange?: (state: BreakerState['kind'], cause: StoreError | null) => void;
}

export interface BreakerStore extends Store {
  readonly state: BreakerState['kind'];
  /** Counted up from the start of the process. */
  readonly stats: { readonly openings: number; readonly refusals: number };
}

/** The store was not asked, because it has failed too often. */
export class BreakerOpenError extends StoreError {
  constructor(cause: StoreError | null) {
    super('unavailable', 'the store has failed too often and is left alone for a moment', cause);
  }
}

/**
 * Leaves a failing store alone: while it is open a call rejects with BreakerOpenError and costs the inner store nothing.
 * Counts batches where the inner store tells them, else calls.
 */
export function breaker(inner: Store & Partial<Batching>, options: BreakerOptions): BreakerStore {
  const { clock, random, onChange } = options;
  const stats = { openings: 0, refusals: 0 };
  let state: BreakerState = CLOSED;
  let refusal = new BreakerOpenError(null);

  function become(next: BreakerState, cause: StoreError | null = null): void {
    const before = state;
    state = next;
    if (before.kind === next.kind && before.generation === next.generation) return;
    if (next.kind === 'open') {
      stats.openings++;
      // One error for all callers of an opening: a stack trace for each would cost more than the answer.
      refusal = new BreakerOpenError(cause);
    }
    onChange?.(next.kind, cause);
  }

  function ended(generation: number, error: StoreError | null): void {
    // What is `busy` is so on our side, and says nothing of the store.
    if (error?.code === 'busy') become(release(state, generation));
    else become(settle(state, generation, error !== null, clock.nowUs(), random()), error);
  }

  const watcher: BatchWatcher = {
    sent() {
      const { generation } = state;
      return (error) => ended(generation, error);
    },
    heard: () => become(wake(state)),
  };
  const batching = inner.watch !== undefined;
  inner.watch?.(watcher);

  /** A call whose result is its own, or the one call that is let through as a probe. */
  async function watched(...args: Parameters<Store['take']>): ReturnType<Store['take']> {
    const { generation, kind } = state;
    try {
      const readings = await inner.take(...args);
      if (!batching) ended(generation, null);
      return readings;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (kind === 'half_open' && error.code === 'busy') {
        // The probe found no place, because what the store owes fills them all: it is as it was.
        become(settle(state, generation, true, clock.nowUs(), random()), error);
        throw refusal;
      }
      if (!batching) ended(generation, error);
      throw error;
    } finally {
      // Whatever became of the probe, another one may follow when it never reached the store.
      become(release(state, generation));
    }
  }

  return {
    stats,
    get state() {
      return state.kind;
    },
    take(...args) {
      if (batching && state.kind === 'closed') return inner.take(...args);
      const next = admit(state, clock.nowUs());
      if (next === null) {
        stats.refusals++;
        return Promise.reject(refusal);
      }
      become(next);
      return watched(...args);
    },
  };
}
