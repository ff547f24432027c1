import { encodeBlock } from '../hpack/encoder.ts';
import type { Stream, StreamEvents } from '../http2/stream.ts';
import type { Plan } from './plan.ts';

const NOTHING = new Uint8Array(0);

/** The answer to a request that is not gRPC: a status of HTTP and a line of text, when the request is over. */
export class HttpAnswer implements StreamEvents {
  readonly begun = false;
  private readonly stream: Stream;
  private readonly plan: Plan & { kind: 'http' };
  private readonly dueMs: number;
  private answered = false;

  constructor(stream: Stream, plan: Plan & { kind: 'http' }, timeoutMs: number) {
    this.stream = stream;
    this.plan = plan;
    this.dueMs = stream.connection.readMs + timeoutMs;
  }

  data(_bytes: Buffer, start: number, end: number): void {
    this.stream.consume(end - start);
  }

  end(): void {
    this.stream.connection.defer(this);
  }

  run(): void {
    if (this.answered) return;
    this.answered = true;
    const { status, text, withBody } = this.plan;
    const body = Buffer.from(`${text}\n`);
    const fields = [':status', String(status), 'content-type', 'text/plain', 'content-length', String(body.length)];
    this.stream.headers(encodeBlock(fields), !withBody);
    if (!withBody) return;
    this.stream.data(NOTHING, body);
    this.stream.end(null);
  }

  tick(nowMs: number): void {
    if (!this.stream.remoteEnded && nowMs >= this.dueMs) this.run();
  }

  reset(): void {}
  drained(): void {}
}
