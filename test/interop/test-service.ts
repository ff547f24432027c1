import type { CallContext, Method, StreamContext } from '../../src/wire/rpc/method.ts';
import { eventually } from '../support/eventually.ts';
import { type Director, HOLD_MS, heldBy } from './director.ts';
import {
  type EchoStatus,
  type SimpleRequest,
  type StreamingInputCallRequest,
  type StreamingOutputCallRequest,
  statusWithDetails,
  TEST_SERVICE,
} from './messages.ts';

const ECHO_INITIAL = 'x-grpc-test-echo-initial';
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

/** The status that a caller has asked for. */
export class AskedFor extends Error {
  override readonly name = 'AskedFor';
  readonly status: EchoStatus;
  constructor(status: EchoStatus) {
    super(status.message);
    this.status = status;
  }
}

/** grpc.testing.TestService, as the descriptions of gRPC's interoperability tests want it. */
export function testService(director: Director): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();

  function unary<T>(name: string, answer: (request: T, call: CallContext) => Promise<object>): void {
    const { path, requestDeserialize, responseSerialize } = TEST_SERVICE[name]!;
    methods.set(path, {
      kind: 'unary',
      serve: async (message, call) => {
        const told = director.begun(call, message.length);
        try {
          echoMetadata(call);
          return responseSerialize(await answer(requestDeserialize(Buffer.from(message)) as T, call));
        } finally {
          told(call.cancelled);
        }
      },
    });
  }

  function stream<T>(
    name: string,
    answer: (
      requests: AsyncIterable<T>,
      send: (response: object) => Promise<void>,
      call: StreamContext,
    ) => Promise<void>,
  ): void {
    const { path, requestDeserialize, responseSerialize } = TEST_SERVICE[name]!;
    async function* requestsOf(call: StreamContext): AsyncIterable<T> {
      for await (const message of call.messages) yield requestDeserialize(Buffer.from(message)) as T;
    }
    methods.set(path, {
      kind: 'stream',
      serve: async (call) => {
        const told = director.begun(call, 0);
        try {
          echoMetadata(call);
          await answer(requestsOf(call), (response) => call.send(responseSerialize(response)), call);
        } finally {
          told(call.cancelled);
        }
      },
    });
  }

  unary('EmptyCall', async (_: object, call) => {
    await director.asked(call);
    return {};
  });

  unary('UnaryCall', async ({ responseSize, responseStatus }: SimpleRequest, call) => {
    await heldBy(director, call);
    refuseIfAsked(responseStatus);
    return { payload: zeros(responseSize) };
  });

  stream('StreamingInputCall', async (requests: AsyncIterable<StreamingInputCallRequest>, send) => {
    let aggregatedPayloadSize = 0;
    for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
    await send({ aggregatedPayloadSize });
  });

  for (const name of ['StreamingOutputCall', 'FullDuplexCall']) {
    stream(name, async (requests: AsyncIterable<StreamingOutputCallRequest>, send, call) => {
      for await (const { responseParameters, responseStatus } of requests) {
        refuseIfAsked(responseStatus);
        for (const { size, intervalUs } of responseParameters) {
          if (intervalUs > 0) await passed(intervalUs / 1_000, call);
          await send({ payload: zeros(size) });
        }
      }
    });
  }
  return methods;
}

function echoMetadata(call: CallContext): void {
  call.addHeaders(call.metadata.filter(([name]) => name === ECHO_INITIAL));
  call.addTrailers(call.metadata.filter(([name]) => name === ECHO_TRAILING));
}

function refuseIfAsked(status: EchoStatus | null): void {
  if (status !== null && status.code !== 0) throw new AskedFor(status);
}

function zeros(size: number): object {
  return { body: Buffer.alloc(size) };
}

async function passed(ms: number, call: CallContext): Promise<void> {
  const untilMs = performance.now() + ms;
  await eventually('the interval', () => call.cancelled || performance.now() >= untilMs, HOLD_MS);
}

export function statusOf(error: unknown) {
  if (!(error instanceof AskedFor)) return { code: 13, message: String(error) };
  return { ...error.status, metadata: [['grpc-status-details-bin', statusWithDetails(error.status)]] as const };
}
