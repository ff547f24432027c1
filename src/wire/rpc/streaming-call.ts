import type { Stream } from '../http2/stream.ts';
import { Call, type CallHead } from './call.ts';
import { gunzipped } from './gzip.ts';
import { CallError, type Message, MessageReader } from './message-reader.ts';
import type { StreamContext, StreamHandler } from './method.ts';
import type { Plan } from './plan.ts';
import { Queue } from './queue.ts';
import type { RpcService } from './service.ts';
import { STATUS } from './status.ts';

/** Messages both ways. The handler begins with the headers; the caller's window opens as its messages are taken. */
export class StreamingCall extends Call implements StreamContext {
  readonly messages: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => this.next(),
      return: async () => {
        this.deaf = true;
        this.dropUnread();
        return { done: true, value: undefined };
      },
    }),
  };
  private readonly handler: StreamHandler;
  private readonly reader: MessageReader;
  private readonly queue = new Queue<Message>();
  /** Bytes of the wire that are given back to the caller once the queue is empty. */
  private heldBytes = 0;
  /** Since when a message is not whole; 0: none is begun. */
  private partialSinceMs = 0;
  /** The handler wants no more messages. */
  private deaf = false;
  private allCame = false;
  private runs = false;
  private wake: (() => void) | null = null;
  private readonly senders: (() => void)[] = [];
  private readonly cancelListeners: (() => void)[] = [];

  constructor(
    service: RpcService,
    stream: Stream,
    plan: Plan & { kind: 'call' },
    head: CallHead,
    handler: StreamHandler,
  ) {
    super(service, stream, plan, head);
    this.handler = handler;
    this.reader = new MessageReader(service.maxMessageBytes, this);
    stream.connection.defer(this);
  }

  data(bytes: Buffer, start: number, end: number): void {
    if (this.ended) return;
    if (this.deaf) {
      this.stream.consume(end - start);
      return;
    }
    try {
      this.reader.read(bytes, start, end, (message) => this.accept(message));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.cut({ code: error.code, message: error.message });
      return;
    }
    if (!this.reader.partial) this.partialSinceMs = 0;
    else if (this.partialSinceMs === 0) this.partialSinceMs = this.stream.connection.readMs;
    this.heldBytes += end - start;
    // An unfinished message needs the rest of it, so its bytes are not held back.
    if (this.queue.length === 0) this.giveBack();
    else this.wakeReader();
  }

  private accept(message: Message): void {
    this.partialSinceMs = 0;
    this.queue.push(message);
    if (message.compressed && !this.gzip) {
      throw new CallError(STATUS.internal, 'a compressed message without grpc-encoding');
    }
  }

  /** A stream may be silent for ever, but not in the middle of a message, which takes room. */
  override tick(nowMs: number): void {
    super.tick(nowMs);
    const { partialSinceMs } = this;
    // While others wait to be read, it may be our window that keeps the rest of it.
    if (this.ended || partialSinceMs === 0 || this.queue.length > 0) return;
    if (nowMs - partialSinceMs >= this.service.requestTimeoutMs) this.late();
  }

  end(): void {
    if (this.ended) return;
    if (this.reader.partial && !this.deaf) {
      this.cut({ code: STATUS.internal, message: 'the message is cut short' });
      return;
    }
    this.allCame = true;
    this.wakeReader();
  }

  run(): void {
    if (this.ended) return;
    this.enter();
    this.service.streaming++;
    this.runs = true;
    void this.handle();
  }

  private async handle(): Promise<void> {
    try {
      await this.handler(this);
      this.done();
      this.succeed();
    } catch (error) {
      this.done();
      this.failWith(error);
    }
    this.abandoned();
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.ended || this.write(message)) return;
    await new Promise<void>((sent) => this.senders.push(sent));
  }

  onCancelled(listener: () => void): void {
    if (this.cancelled) listener();
    else this.cancelListeners.push(listener);
  }

  drained(): void {
    for (const sent of this.senders.splice(0)) sent();
  }

  private async next(): Promise<IteratorResult<Uint8Array>> {
    while (this.queue.length === 0 && !this.allCame && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const message = this.ended ? undefined : this.queue.shift();
    if (message === undefined) return { done: true, value: undefined };
    if (this.queue.length === 0) this.giveBack();
    try {
      return { done: false, value: await this.plain(message) };
    } finally {
      this.give(message.held);
    }
  }

  private plain({ compressed, bytes }: Message): Uint8Array | Promise<Uint8Array> {
    return compressed ? gunzipped(bytes, this.service.maxMessageBytes, () => !this.ended) : bytes;
  }

  private giveBack(): void {
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    this.stream.consume(bytes);
  }

  private dropUnread(): void {
    this.partialSinceMs = 0;
    this.reader.drop();
    for (let left = this.queue.shift(); left !== undefined; left = this.queue.shift()) this.give(left.held);
    this.giveBack();
  }

  private wakeReader(): void {
    this.wake?.();
    this.wake = null;
  }

  private done(): void {
    this.runs = false;
    this.service.streaming--;
    this.leave();
  }

  protected handling(): boolean {
    return this.runs;
  }

  protected abandoned(): void {
    this.dropUnread();
    this.wakeReader();
    this.drained();
    const listeners = this.cancelListeners.splice(0);
    if (this.cancelled) for (const listener of listeners) listener();
  }
}
