import { CODE, ConnectionError, protocolError } from './frame.ts';
import { MAX_WINDOW } from './settings.ts';
import type { Stream } from './stream.ts';

/** How many of the streams that we have reset may still get what the peer sent before it knew. */
const MOST_REMEMBERED_RESETS = 4_096;

/** The streams of a connection: those that are open, and what is known of the others (RFC 9113, section 5.1). */
export class Streams extends Map<number, Stream> {
  /** The highest that the peer has opened; beyond `lastId` our GOAWAY has said that it may not. */
  highestId = 0;
  lastId = MAX_WINDOW;
  /** Our GOAWAY has said so; `lastId` alone does not tell, for 2^31 - 1 is a stream as well. */
  saidLast = false;
  /** Those that were left out when the highest was opened: they are closed, and were never open (section 5.1.1). */
  private skippedFrom = 0;
  private skippedTo = 0;
  private readonly resets = new Set<number>();

  /** The peer has opened it, whatever becomes of it. */
  opened(id: number): void {
    if (id > this.highestId + 2) {
      this.skippedFrom = this.highestId + 1;
      this.skippedTo = id - 1;
    }
    this.highestId = id;
  }

  /** None beyond the highest of now will be served; the peer will ask somebody else. */
  noMore(): void {
    this.saidLast = true;
    this.lastId = this.highestId;
  }

  wasSkipped(id: number): boolean {
    return id >= this.skippedFrom && id <= this.skippedTo;
  }

  /** We have reset it: what still comes for it is no error (section 5.1). */
  rememberReset(id: number): void {
    const { resets } = this;
    resets.add(id);
    if (resets.size > MOST_REMEMBERED_RESETS) for (const oldest of resets) return void resets.delete(oldest);
  }

  /** A frame for a stream that is not open. Throws ConnectionError unless it was sent before the peer knew that. */
  closed(id: number, what: string): void {
    this.notIdle(id, what);
    // Section 6.8: what was sent before our GOAWAY was seen is ignored.
    if (id <= this.lastId && !this.resets.has(id)) {
      throw new ConnectionError(CODE.streamClosed, `${what} on stream ${id}, which is closed`);
    }
  }

  /** Throws ConnectionError for a stream that the peer has not opened yet, or that it can never open. */
  notIdle(id: number, what: string): void {
    if (id === 0 || (id > this.highestId && id <= this.lastId) || (id & 1) === 0) {
      throw protocolError(`${what} on stream ${id}, which is idle`);
    }
  }
}
