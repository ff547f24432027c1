import type { Stream } from '../http2/stream.ts';
import { Call, type CallHead } from './call.ts';
import { gunzipped } from './gzip.ts';
import { CallError, type Message, MessageReader, messageLength, view } from './message-reader.ts';
import type { UnaryHandler } from './method.ts';
import type { Plan } from './plan.ts';
import type { RpcService } from './service.ts';
import { STATUS } from './status.ts';

const PREFIX_BYTES = 5;

/** One message in, one out. The handler begins when the request is whole and the read in which it came is done. */
export class UnaryCall extends Call {
  private readonly handler: UnaryHandler;
  private message: Uint8Array | null = null;
  private compressed = false;
  /** Of the room, for the message. */
  private held = 0;
  private reader: MessageReader | null = null;
  private runs = false;

  constructor(
    service: RpcService,
    stream: Stream,
    plan: Plan & { kind: 'call' },
    head: CallHead,
    handler: UnaryHandler,
  ) {
    super(service, stream, plan, head);
    this.handler = handler;
  }

  data(bytes: Buffer, start: number, end: number): void {
    if (this.ended) return;
    try {
      this.read(bytes, start, end);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.cut({ code: error.code, message: error.message });
      return;
    }
    this.stream.consume(end - start);
  }

  /** Most messages are one frame. */
  private read(bytes: Buffer, start: number, end: number): void {
    const { maxMessageBytes } = this.service;
    if (this.reader === null && this.stream.remoteEnded && end - start >= PREFIX_BYTES) {
      const length = messageLength(bytes, start, maxMessageBytes);
      // It is served at the end of this read, so nothing is kept.
      if (length === end - start - PREFIX_BYTES && bytes[start] === 0) {
        this.message = view(bytes, start + PREFIX_BYTES, end);
        return;
      }
    }
    this.reader ??= new MessageReader(maxMessageBytes, this);
    this.reader.read(bytes, start, end, (message) => this.accept(message));
  }

  private accept({ compressed, bytes, held }: Message): void {
    this.held += held;
    if (this.message !== null) throw new CallError(STATUS.unimplemented, 'a second message in a call of one');
    if (compressed && !this.gzip) throw new CallError(STATUS.internal, 'a compressed message without grpc-encoding');
    this.compressed = compressed;
    this.message = bytes;
  }

  end(): void {
    if (this.ended) return;
    if (this.reader?.partial) this.cut({ code: STATUS.internal, message: 'the message is cut short' });
    else if (this.message === null) this.cut({ code: STATUS.unimplemented, message: 'no message in a call of one' });
    else this.stream.connection.defer(this);
  }

  run(): void {
    if (this.ended) return;
    this.enter();
    this.runs = true;
    if (this.compressed) void this.inflate();
    else this.handle(this.message!);
    this.message = null;
  }

  private async inflate(): Promise<void> {
    try {
      const message = await gunzipped(this.message!, this.service.maxMessageBytes, () => !this.ended);
      if (this.ended) this.done();
      else this.handle(message);
    } catch (error) {
      this.done();
      this.failWith(error);
    }
  }

  private handle(message: Uint8Array): void {
    let reply: Promise<Uint8Array>;
    try {
      reply = this.handler(message, this);
    } catch (error) {
      reply = Promise.reject(error);
    }
    this.letGo();
    reply.then(
      (bytes) => this.reply(bytes),
      (error) => {
        this.done();
        this.failWith(error);
      },
    );
  }

  private reply(bytes: Uint8Array): void {
    this.done();
    if (this.ended) return;
    if (!(bytes instanceof Uint8Array)) {
      this.failWith(new TypeError('a handler has answered no bytes'));
      return;
    }
    this.write(bytes);
    this.succeed();
  }

  private done(): void {
    this.runs = false;
    this.letGo();
    this.leave();
  }

  private letGo(): void {
    if (this.held > 0) this.give(this.held);
    this.held = 0;
  }

  drained(): void {}

  protected handling(): boolean {
    return this.runs;
  }

  protected abandoned(): void {
    this.reader?.drop();
    this.message = null;
    // What is being inflated is kept though nobody waits for it.
    if (!this.runs) this.letGo();
  }
}
