import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

export interface LineOutputOptions {
  readonly fd: number;
  /** Lines are out when `write` returns, unless whoever reads stalls. Else they go out behind its back. */
  readonly sync: boolean;
  /** What waits for a reader that does not read; beyond it lines are lost. */
  readonly maxBufferedBytes: number;
}

export interface LineOutput extends DestinationStream {
  /** Calls back when all is out or lost, and after a second in any case. */
  flush(done: () => void): void;
}

/** Lines that go out in one write: what a pipe takes as a whole (PIPE_BUF), as several workers may write to it. */
const MAX_CHUNK_BYTES = 4 * 1024;
const TRY_AGAIN_MS = 100;
const FLUSH_TIMEOUT_MS = 1_000;

/**
 * Never throws, and never holds up the process: what a full disk or a closed pipe does not take is lost, and what comes
 * later is tried again.
 */
export function lineOutput({ fd, sync, maxBufferedBytes }: LineOutputOptions): LineOutput {
  let waiting: Buffer[] = [];
  /** The first of them is being written by the system. */
  let inFlight = false;
  let bytes = 0;
  let busy = false;
  let onDrained: (() => void)[] = [];

  function begin(): void {
    busy = true;
    process.once('exit', writeLast);
    if (sync && writeOut()) drained();
    else writeNext();
  }

  /** False when the reader stalls. */
  function writeOut(): boolean {
    while (waiting.length > 0) {
      try {
        wrote(writeSync(fd, next()));
      } catch (error) {
        if (stalls(error)) return false;
        lost();
      }
    }
    return true;
  }

  /** The process ends; what is in flight goes out without us. */
  function writeLast(): void {
    if (inFlight) lost();
    writeOut();
  }

  function writeNext(): void {
    inFlight = waiting.length > 0;
    if (inFlight) write(fd, next(), written);
    else drained();
  }

  function written(error: Error | null, count: number): void {
    inFlight = false;
    if (error !== null && stalls(error)) {
      setTimeout(writeNext, TRY_AGAIN_MS).unref();
      return;
    }
    if (error === null) wrote(count);
    else lost();
    writeNext();
  }

  function next(): Buffer {
    let count = 0;
    let size = 0;
    do size += (waiting[count++] as Buffer).length;
    while (count < waiting.length && size + (waiting[count] as Buffer).length <= MAX_CHUNK_BYTES);
    if (count > 1) waiting = [Buffer.concat(waiting.slice(0, count), size), ...waiting.slice(count)];
    return waiting[0] as Buffer;
  }

  function wrote(count: number): void {
    const first = waiting[0] as Buffer;
    bytes -= count;
    if (count < first.length) waiting[0] = first.subarray(count);
    else waiting.shift();
  }

  function lost(): void {
    bytes -= waiting.shift()?.length ?? 0;
  }

  function drained(): void {
    busy = false;
    process.removeListener('exit', writeLast);
    for (const done of onDrained.splice(0)) done();
  }

  return {
    write(line) {
      const chunk = Buffer.from(line);
      if (bytes + chunk.length > maxBufferedBytes) return;
      waiting.push(chunk);
      bytes += chunk.length;
      if (!busy) begin();
    },
    flush(done) {
      if (!busy) {
        done();
        return;
      }
      const timer = setTimeout(finish, FLUSH_TIMEOUT_MS);
      function finish(): void {
        clearTimeout(timer);
        onDrained = onDrained.filter((each) => each !== finish);
        done();
      }
      onDrained.push(finish);
    },
  };
}

function stalls(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAGAIN' || code === 'EBUSY';
}
