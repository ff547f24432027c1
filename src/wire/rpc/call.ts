import type { Stream, StreamEvents } from '../http2/stream.ts';
import { CallError, type Room } from './message-reader.ts';
import { type Metadata, metadataFields, readMetadata } from './metadata.ts';
import type { CallContext } from './method.ts';
import type { Plan } from './plan.ts';
import { HEADERS, headersWith, OK_TRAILERS, trailersOnly, trailersWith } from './response.ts';
import type { RpcService } from './service.ts';
import { STATUS, type Status } from './status.ts';

const OK: Status = { code: STATUS.ok, message: '' };
const NONE: Metadata = [];
/** No compression, and four bytes of length: written before each message, and copied from here. */
const prefix = new Uint8Array(5);

/** The fields of a call, and what was taken of the room for them. */
export interface CallHead {
  readonly fields: readonly string[];
  readonly heldBytes: number;
}

/** One call of a method: what is the same for calls of one message and for streams of them. */
export abstract class Call implements StreamEvents, CallContext, Room {
  cancelled = false;
  begun = false;
  protected readonly stream: Stream;
  protected readonly service: RpcService;
  protected readonly startedMs: number;
  protected ended = false;
  /** Its messages may be compressed. */
  protected readonly gzip: boolean;
  private readonly timeoutMs: number | null;
  private readonly fields: readonly string[];
  private headBytes: number;
  private headersSent = false;
  private headers = NONE;
  private trailers = NONE;
  /** The stream has gone and the handler goes on: it still counts for its connection. */
  private orphan = false;

  constructor(service: RpcService, stream: Stream, plan: Plan & { kind: 'call' }, head: CallHead) {
    this.service = service;
    this.stream = stream;
    this.startedMs = stream.connection.readMs;
    this.gzip = plan.gzip;
    this.timeoutMs = plan.timeoutMs;
    this.fields = head.fields;
    this.headBytes = head.heldBytes;
  }

  abstract data(bytes: Buffer, start: number, end: number): void;
  abstract end(): void;
  abstract drained(): void;
  /** The stream has gone, or the call has ended before its handler. */
  protected abstract abandoned(): void;

  get deadlineMs(): number | null {
    return this.timeoutMs === null ? null : this.startedMs + this.timeoutMs;
  }

  get peer(): string {
    return this.stream.connection.peer;
  }

  get metadata(): Metadata {
    return readMetadata(this.fields);
  }

  /** The first value of a text field under this lower-case name; null when there is none. */
  header(name: string): string | null {
    const { fields } = this;
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1] ?? null;
    return null;
  }

  addHeaders(metadata: Metadata): void {
    metadataFields(metadata);
    this.headers = [...this.headers, ...metadata];
  }

  addTrailers(metadata: Metadata): void {
    metadataFields(metadata);
    this.trailers = [...this.trailers, ...metadata];
  }

  reset(): void {
    this.cancel();
  }

  /** Room for bytes that wait: of its connection, and of all. */
  take(bytes: number): boolean {
    return this.service.takeRoom(this.stream.connection, bytes);
  }

  give(bytes: number): void {
    this.service.giveRoom(this.stream.connection, bytes);
  }

  /** Looks at the deadline; callers mostly do that themselves, and sooner. */
  tick(nowMs: number): void {
    if (this.ended) return;
    if (this.timeoutMs !== null && nowMs - this.startedMs >= this.timeoutMs) {
      this.cut({ code: STATUS.deadlineExceeded, message: 'the deadline is over' });
    } else if (!this.begun && nowMs - this.startedMs >= this.service.requestTimeoutMs) {
      this.late();
    }
  }

  protected late(): void {
    this.stream.connection.application.refused('request_timeout');
    this.cut({ code: STATUS.deadlineExceeded, message: 'the request did not arrive in time' });
  }

  /** False when the message has to wait for a window. */
  protected write(message: Uint8Array): boolean {
    this.sendHeaders();
    prefix[1] = message.length >>> 24;
    prefix[2] = (message.length >>> 16) & 0xff;
    prefix[3] = (message.length >>> 8) & 0xff;
    prefix[4] = message.length & 0xff;
    return this.stream.data(prefix, message);
  }

  protected succeed(): void {
    if (this.ended) return;
    this.ended = true;
    this.sendHeaders();
    this.stream.end(this.trailers.length === 0 ? OK_TRAILERS : trailersWith({ ...OK, metadata: this.trailers }));
  }

  protected fail(status: Status): void {
    if (this.ended) return;
    this.ended = true;
    const all = { ...status, metadata: [...this.trailers, ...(status.metadata ?? NONE)] };
    if (this.headersSent) this.stream.end(trailersWith(all));
    else this.stream.headers(trailersOnly(all, false), true);
  }

  /** The status of an error: the transport's own, or what the server makes of it. */
  protected failWith(error: unknown): void {
    if (error instanceof CallError) this.fail({ code: error.code, message: error.message });
    else this.fail(this.statusOf(error));
  }

  /** Metadata that may not be sent is a mistake of ours, and must not leave the caller without an answer. */
  private statusOf(error: unknown): Status {
    try {
      // An Error may serve as a status, and would lose its message if it were spread.
      const { code, message, metadata = NONE } = this.service.statusOf(error);
      metadataFields(metadata);
      return { code, message, metadata };
    } catch {
      return { code: STATUS.internal, message: 'internal error' };
    }
  }

  /** Ends a call that its handler has not, or that has none yet. */
  protected cut(status: Status): void {
    this.fail(status);
    this.cancel();
  }

  /** A handler begins, and ends: between the two the call has its place, whether or not its stream lives. */
  protected enter(): void {
    this.begun = true;
    this.service.running++;
  }

  protected leave(): void {
    this.service.running--;
    this.letGoOfHead();
    if (this.orphan) this.stream.connection.orphans--;
  }

  private cancel(): void {
    if (this.cancelled) return;
    // A stream also ends when its call has, and then nobody has gone.
    this.cancelled = true;
    this.ended = true;
    if (this.handling()) {
      this.orphan = true;
      this.stream.connection.orphans++;
    } else {
      this.letGoOfHead();
    }
    this.abandoned();
  }

  private letGoOfHead(): void {
    if (this.headBytes > 0) this.give(this.headBytes);
    this.headBytes = 0;
  }

  protected abstract handling(): boolean;

  private sendHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.stream.headers(this.headers.length === 0 ? HEADERS : headersWith(this.headers), false);
  }
}
