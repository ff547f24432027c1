import { STATUS } from './status.ts';

/** Ends a call with a status. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Message {
  readonly compressed: boolean;
  /** Its own: no larger chunk is kept for them. */
  readonly bytes: Uint8Array;
  /** What was taken of the room for it, to be given back by whoever is done with it. */
  readonly held: number;
}

/** Who says whether there is room for bytes that wait to become a message. */
export interface Room {
  take(bytes: number): boolean;
  give(bytes: number): void;
}

const PREFIX_BYTES = 5;
const FIRST_BYTES = 1_024;
const NOTHING = Buffer.alloc(0);
/** What a message costs beside its bytes, so that those without any are counted. */
const OVERHEAD_BYTES = 256;

/** "Length-Prefixed-Message" of the gRPC protocol, cut anywhere. What it keeps grows as bytes come, not as lengths claim. */
export class MessageReader {
  private readonly maxBytes: number;
  private readonly room: Room;
  private readonly prefix = new Uint8Array(PREFIX_BYTES);
  private prefixed = 0;
  private length = 0;
  private kept: Buffer | null = null;
  private at = 0;

  constructor(maxBytes: number, room: Room) {
    this.maxBytes = maxBytes;
    this.room = room;
  }

  /** True in the middle of a message. */
  get partial(): boolean {
    return this.prefixed > 0;
  }

  /** Throws CallError. */
  read(bytes: Buffer, start: number, end: number, take: (message: Message) => void): void {
    let at = start;
    while (at < end) {
      while (this.prefixed < PREFIX_BYTES && at < end) this.prefix[this.prefixed++] = bytes[at++]!;
      if (this.prefixed < PREFIX_BYTES) return;
      if (this.kept === null) this.length = messageLength(this.prefix, 0, this.maxBytes);
      const to = Math.min(end, at + this.length - this.at);
      this.keep(bytes, at, to);
      if (this.at === this.length) this.finish(take);
      at = to;
      // A message without bytes ends where its prefix does.
      if (at === end && this.prefixed < PREFIX_BYTES) return;
    }
  }

  /** What was kept of a message that will never be whole. */
  drop(): void {
    if (this.kept !== null) this.room.give(this.kept.length + OVERHEAD_BYTES);
    this.kept = null;
    this.at = 0;
  }

  private finish(take: (message: Message) => void): void {
    const kept = this.kept!;
    this.kept = null;
    this.at = 0;
    this.prefixed = 0;
    take({
      compressed: this.prefix[0] === 1,
      bytes: kept.subarray(0, this.length),
      held: kept.length + OVERHEAD_BYTES,
    });
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    const needed = this.at + end - start;
    const before = this.kept?.length ?? -OVERHEAD_BYTES;
    if (this.kept === null || needed > before) {
      const capacity = Math.max(needed, Math.min(this.length, Math.max(FIRST_BYTES, before * 2)));
      if (!this.room.take(capacity - before)) {
        throw new CallError(STATUS.resourceExhausted, 'too many bytes of unfinished messages');
      }
      const larger = capacity === 0 ? NOTHING : Buffer.allocUnsafeSlow(capacity);
      this.kept?.copy(larger, 0, 0, this.at);
      this.kept = larger;
    }
    bytes.copy(this.kept, this.at, start, end);
    this.at = needed;
  }
}

/** Of the message whose prefix begins at `at`. Throws CallError. */
export function messageLength(bytes: Uint8Array, at: number, maxBytes: number): number {
  const flag = bytes[at]!;
  if (flag > 1) throw new CallError(STATUS.internal, `a compressed flag of ${flag}`);
  const length = bytes[at + 1]! * 0x100_0000 + ((bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!);
  if (length > maxBytes) {
    throw new CallError(STATUS.resourceExhausted, `a message of ${length} bytes, the limit is ${maxBytes}`);
  }
  return length;
}

/** Bytes of a chunk that nobody writes to again. */
export function view(bytes: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}
