import type { Refusal } from '../http2/bounds.ts';
import type { Application, Connection } from '../http2/connection.ts';
import type { Head } from '../http2/head.ts';
import type { Stream, StreamEvents } from '../http2/stream.ts';
import type { RpcBounds } from './bounds.ts';
import { HttpAnswer } from './http-answer.ts';
import type { Method } from './method.ts';
import { type Plan, planOf } from './plan.ts';
import { trailersOnly } from './response.ts';
import { STATUS, type Status } from './status.ts';
import { StreamingCall } from './streaming-call.ts';
import { UnaryCall } from './unary-call.ts';

export interface RpcOptions extends RpcBounds {
  /** By full method name, `/package.Service/Method`. */
  readonly methods: ReadonlyMap<string, Method>;
  /** What becomes of an error that a handler rejects with. */
  readonly statusOf: (error: unknown) => Status;
}

/** gRPC over the streams of any number of connections. */
export class RpcService {
  readonly maxMessageBytes: number;
  readonly requestTimeoutMs: number;
  readonly statusOf: (error: unknown) => Status;
  /** Handlers that run, and those of streams among them. */
  running = 0;
  streaming = 0;
  /** What is kept of all connections, as `bufferedBytes` of each. */
  bufferedBytes = 0;
  private readonly options: RpcOptions;

  constructor(options: RpcOptions) {
    this.options = options;
    this.maxMessageBytes = options.maxMessageBytes;
    this.requestTimeoutMs = options.requestTimeoutMs;
    this.statusOf = options.statusOf;
  }

  /** As `open` of an Application. */
  open: Application['open'] = (stream: Stream, head: Head | null): StreamEvents => {
    if (head === null) {
      const message = `a header list of more than ${stream.connection.bounds.maxHeaderListBytes} bytes`;
      return this.exhausted(stream, 'max_header_list_bytes', message);
    }
    head.memo ??= planOf(head, this.options.methods);
    const plan = head.memo as Plan;
    if (plan.kind === 'refused') return this.refuse(stream, plan, plan.accepting);
    const { connection } = stream;
    const { maxConcurrentStreams } = connection.bounds;
    // Who has not acknowledged our SETTINGS may have sent as many again before it knew them.
    const most = connection.settled ? maxConcurrentStreams : 2 * maxConcurrentStreams;
    if (connection.load > most) return this.exhausted(stream, 'max_streams', 'too many calls at once');
    if (plan.kind === 'call') return this.call(stream, plan, head);
    return new HttpAnswer(stream, plan, this.requestTimeoutMs);
  };

  private call(stream: Stream, plan: Plan & { kind: 'call' }, { fields, listBytes }: Head): StreamEvents {
    const { connection } = stream;
    const { method } = plan;
    const { maxRunning } = this.options;
    // Streams may stay for ever and do nothing, so some room is left beside them for calls that come and go.
    if (this.running >= maxRunning || (method.kind === 'stream' && this.streaming * 2 >= maxRunning)) {
      return this.exhausted(stream, 'max_running_calls', 'too many calls at once');
    }
    if (connection.sender.blockedBytes > connection.bounds.maxBlockedBytes) {
      return this.exhausted(stream, 'max_blocked_bytes', 'too many answers wait to be read');
    }
    const heldBytes = listBytes > SHORT_LIST_BYTES ? listBytes : 0;
    if (heldBytes > 0 && !this.takeRoom(connection, heldBytes)) {
      return this.refuse(stream, { code: STATUS.resourceExhausted, message: 'too many bytes of header lists' });
    }
    const head = { fields, heldBytes };
    return method.kind === 'unary'
      ? new UnaryCall(this, stream, plan, head, method.serve)
      : new StreamingCall(this, stream, plan, head, method.serve);
  }

  private exhausted(stream: Stream, bound: Refusal, message: string): StreamEvents {
    stream.connection.application.refused(bound);
    return this.refuse(stream, { code: STATUS.resourceExhausted, message });
  }

  private refuse(stream: Stream, status: Status, accepting = false): StreamEvents {
    stream.headers(trailersOnly(status, accepting), true);
    return NOBODY;
  }

  takeRoom(connection: Connection, bytes: number): boolean {
    const { maxBufferedBytes, maxBufferedBytesOfAll } = this.options;
    if (connection.bufferedBytes + bytes > maxBufferedBytes) {
      connection.application.refused('max_buffered_bytes');
      return false;
    }
    if (this.bufferedBytes + bytes > maxBufferedBytesOfAll) {
      connection.application.refused('max_buffered_bytes_of_all');
      return false;
    }
    connection.bufferedBytes += bytes;
    this.bufferedBytes += bytes;
    return true;
  }

  giveRoom(connection: Connection, bytes: number): void {
    connection.bufferedBytes -= bytes;
    this.bufferedBytes -= bytes;
  }
}

/** Shorter lists are no more than a call costs anyway, and most of them are shared. */
const SHORT_LIST_BYTES = 1_024;

/** Of a stream that has its answer: what still comes is read, for the windows' sake, and dropped. */
const NOBODY: StreamEvents = {
  begun: false,
  data() {},
  end() {},
  reset() {},
  drained() {},
  tick() {},
};
