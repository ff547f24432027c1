import { type Caller, type Store, StoreError } from '../core/ports.ts';
import { TooLate, within } from '../within.ts';

export interface DeadlineOptions {
  /** For all steps of a request together. */
  readonly timeoutMs: number;
}

/**
 * One bound for requests that the inner store asks about in several steps, each of which has a bound of its own. Beyond
 * it they reject with `timeout`, and no further step is sent; but what is to be given back is, as that has no caller.
 */
export function deadline(inner: Store, { timeoutMs }: DeadlineOptions): Store {
  const inTime: Store['take'] = async (hits, charge, nowUs, caller) => {
    let ended = false;
    const waiting: Caller = {
      deadlineMs: caller?.deadlineMs ?? null,
      get cancelled() {
        return ended || caller?.cancelled === true;
      },
    };
    try {
      return await within(timeoutMs, inner.take(hits, charge, nowUs, waiting));
    } catch (error) {
      throw error instanceof TooLate ? new StoreError('timeout', 'the store did not answer in time', error) : error;
    } finally {
      ended = true;
    }
  };
  return {
    // What is charged whatever becomes of its siblings is so in one step.
    take: (hits, charge, ...rest) =>
      charge === 'always' || hits.length < 2 ? inner.take(hits, charge, ...rest) : inTime(hits, charge, ...rest),
  };
}
