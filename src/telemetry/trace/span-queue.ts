import type { SpanNumbers } from '../sources.ts';

export interface SpanQueueOptions<S> {
  /** Sends a batch; resolves with how many of it the receiver refused. `signal` ends the attempt. */
  readonly send: (spans: readonly S[], signal: AbortSignal) => Promise<number>;
  /** Spans that wait; beyond it new ones are dropped. */
  readonly maxSpans: number;
  readonly batchSpans: number;
  /** How long a span waits for others to go with it. */
  readonly delayMs: number;
  /** How long `close` may take. */
  readonly closeTimeoutMs: number;
  /** So many spans were lost. Told at each loss; whoever listens thins it out. */
  readonly onLost: (spans: number, because: Error) => void;
}

/** Spans on their way out: one batch at a time, so that a slow receiver costs memory up to a bound and no more. */
export interface SpanQueue<S> {
  add(span: S): void;
  readonly numbers: SpanNumbers;
  /** Sends what is left, as long as that may take; what is left then is lost. The same promise each time. */
  close(): Promise<void>;
}

const FULL = new Error('spans are made faster than they can be sent');

export function spanQueue<S>(options: SpanQueueOptions<S>): SpanQueue<S> {
  const { send, maxSpans, batchSpans, delayMs, closeTimeoutMs, onLost } = options;
  const numbers = { sent: 0, failed: 0, dropped: 0 };
  const ending = new AbortController();
  let waiting: S[] = [];
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  function add(span: S): void {
    if (closing !== null || waiting.length >= maxSpans) {
      numbers.dropped++;
      if (closing === null) onLost(1, FULL);
      return;
    }
    waiting.push(span);
    if (sending !== null) return;
    // Never in the turn of the call whose span this is: writing a batch takes longer than deciding.
    if (waiting.length === batchSpans) start(0);
    else timer ??= setTimeout(flush, delayMs).unref();
  }

  function start(afterMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(flush, afterMs).unref();
  }

  function flush(): void {
    timer = undefined;
    if (sending !== null || waiting.length === 0) return;
    const batch = waiting.slice(0, batchSpans);
    waiting = waiting.slice(batchSpans);
    sending = tell(batch).finally(() => {
      sending = null;
      if (waiting.length > 0) start(waiting.length >= batchSpans || closing !== null ? 0 : delayMs);
    });
  }

  async function tell(batch: readonly S[]): Promise<void> {
    try {
      const refused = await send(batch, ending.signal);
      numbers.sent += batch.length - refused;
      numbers.failed += refused;
      if (refused > 0) onLost(refused, new Error('the receiver refused them'));
    } catch (error) {
      numbers.failed += batch.length;
      onLost(batch.length, error as Error);
    }
  }

  async function finish(): Promise<void> {
    const late = setTimeout(() => ending.abort(new Error('weir stops')), closeTimeoutMs);
    while (sending !== null || (waiting.length > 0 && !ending.signal.aborted)) {
      flush();
      await sending;
    }
    clearTimeout(late);
    clearTimeout(timer);
    if (waiting.length === 0) return;
    numbers.failed += waiting.length;
    onLost(waiting.length, new Error('weir stops'));
    waiting = [];
  }

  return {
    add,
    numbers,
    close() {
      closing ??= finish();
      return closing;
    },
  };
}
