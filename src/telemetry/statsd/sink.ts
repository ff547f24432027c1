import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Part } from '../../core/ports.ts';
import type { SinkNumbers } from '../sources.ts';
import type { Stat } from '../stats.ts';
import { increments } from './increments.ts';
import type { Line } from './lines.ts';

/** The way to a receiver. Neither method rejects. */
export interface Wire {
  readonly maxBytes: number;
  /** Makes the connection if there is none. null: it is there. Else why not. `last`: try even if it failed just now. */
  open(last: boolean): Promise<Error | null>;
  /** null: handed to the system, which takes more. Else it is lost, or part of it. */
  send(text: string): Promise<Error | null>;
  close(): Promise<void>;
}

export interface SinkOptions {
  /** `statsd` or `dogstatsd`. */
  readonly name: string;
  /** `host:port`, for people. */
  readonly address: string;
  readonly wire: Wire;
  readonly line: Line;
  readonly stats: () => Iterable<Stat>;
  readonly flushMs: number;
  /** Told at each failure; whoever listens thins it out. */
  readonly trouble: (kind: string, message: string, data: object) => void;
}

export interface Sink extends Part {
  readonly numbers: SinkNumbers;
}

/** How long the numbers of the last moments may hold up the end of the process. */
const LAST_FLUSH_MS = 2_000;

/**
 * Tells a receiver what happened, at each flush and at the end. While the receiver is away nothing is kept but the
 * counters themselves, so nothing is lost: the first flush that gets through tells it all.
 */
export function statsdSink({ name, address, wire, line, stats, flushMs, trouble }: SinkOptions): Sink {
  const numbers = { name, sent: 0, lost: 0 };
  const due = increments();
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | null = null;
  let stopping: Promise<void> | null = null;

  function flush(last = false): Promise<void> {
    flushing ??= tellAll(last).finally(() => {
      flushing = null;
    });
    return flushing;
  }

  async function tellAll(last: boolean): Promise<void> {
    const away = await wire.open(last);
    if (away !== null) {
      trouble(`${name} away`, `${name}: no way to ${address}, the numbers wait`, { cause: away.message });
      return;
    }
    let lines: string[] = [];
    let bytes = 0;
    for (const each of due.since(stats())) {
      const next = line(each);
      const size = Buffer.byteLength(next);
      if (bytes + size > wire.maxBytes && lines.length > 0) {
        if (!(await tell(lines))) return;
        [lines, bytes] = [[], 0];
      }
      lines.push(next);
      bytes += size;
    }
    if (lines.length > 0) await tell(lines);
  }

  async function tell(lines: readonly string[]): Promise<boolean> {
    const broken = await wire.send(lines.join(''));
    if (broken === null) {
      numbers.sent += lines.length;
      // A write that the system takes at once would let a hundred thousand lines go out in one turn of the event loop.
      await nextTurn();
      return true;
    }
    numbers.lost += lines.length;
    const data = { lines: lines.length, lostSoFar: numbers.lost, cause: broken.message };
    trouble(`${name} lost`, `${name}: lines to ${address} were lost`, data);
    return false;
  }

  async function finish(): Promise<void> {
    if (timer === undefined) return;
    clearInterval(timer);
    let late: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      late = setTimeout(resolve, LAST_FLUSH_MS);
    });
    await Promise.race([enough, (flushing ?? Promise.resolve()).then(() => flush(true))]);
    clearTimeout(late);
    await wire.close();
  }

  return {
    name,
    numbers,
    async start() {
      timer = setInterval(() => void flush(), flushMs);
      timer.unref();
    },
    stop() {
      stopping ??= finish();
      return stopping;
    },
  };
}
