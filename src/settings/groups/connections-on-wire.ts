import { BOUNDS } from '../../wire/http2/bounds.ts';
import { RPC_BOUNDS } from '../../wire/rpc/bounds.ts';
import { integerBetween } from '../go-values.ts';
import { atLeastOne, atLeastOneMs, inGroup, inSeconds, setting } from '../setting.ts';

/** Of HTTP/2: RFC 9113, section 6.9. A smaller one than it begins with would be overdrawn by the first flight. */
const window = integerBetween(65_535, 2 ** 31 - 1);

export const CONNECTIONS_ON_WIRE = inGroup('Connections to the gRPC port, not with GRPC_TRANSPORT=grpc-js', {
  grpcMaxRunningCalls: setting(
    'GRPC_MAX_RUNNING_CALLS',
    'number',
    RPC_BOUNDS.maxRunning,
    atLeastOne,
    'Calls at work, of all connections, half of them streams at most; more are RESOURCE_EXHAUSTED at once.',
  ),
  grpcRequestTimeoutMs: setting(
    'GRPC_REQUEST_TIMEOUT',
    'duration',
    inSeconds(RPC_BOUNDS.requestTimeoutMs),
    atLeastOneMs,
    'How long the message of a call may take to arrive.',
  ),
  grpcStallTimeoutMs: setting(
    'GRPC_STALL_TIMEOUT',
    'duration',
    inSeconds(BOUNDS.stallTimeoutMs),
    atLeastOneMs,
    'How long a client may take nothing of what waits for it; then its connection is ended.',
  ),
  grpcMaxResets: setting(
    'GRPC_MAX_RESETS',
    'at once,a second',
    rateText(BOUNDS.maxResets),
    rate,
    'Calls that a connection may take back before they are begun (rapid reset). Those that time out are not counted.',
  ),
  grpcMaxStreamErrors: setting(
    'GRPC_MAX_STREAM_ERRORS',
    'at once,a second',
    rateText(BOUNDS.maxStreamErrors),
    rate,
    'Calls that it may make us reset by what RFC 9113 calls an error.',
  ),
  grpcMaxControlFrames: setting(
    'GRPC_MAX_CONTROL_FRAMES',
    'at once,a second',
    rateText(BOUNDS.maxControlFrames),
    rate,
    'Frames that ask for no call: SETTINGS (20 each), PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown ones. A call earns 8.',
  ),
  grpcMaxContinuations: setting(
    'GRPC_MAX_CONTINUATIONS',
    'number',
    BOUNDS.maxContinuations,
    integerBetween(0, 10_000),
    'CONTINUATION frames of a block of headers.',
  ),
  grpcConnectionWindowBytes: setting(
    'GRPC_CONNECTION_WINDOW_BYTES',
    'bytes',
    BOUNDS.connectionWindowBytes,
    window,
    'What a client may send ahead on a connection.',
  ),
  grpcStreamWindowBytes: setting(
    'GRPC_STREAM_WINDOW_BYTES',
    'bytes',
    BOUNDS.streamWindowBytes,
    window,
    'The same of one call.',
  ),
  grpcMaxUnsentBytes: setting(
    'GRPC_MAX_UNSENT_BYTES',
    'bytes',
    BOUNDS.maxUnsentBytes,
    atLeastOne,
    'Answers that the socket has not taken; beyond it nothing more is read from the connection meanwhile.',
  ),
  grpcMaxBlockedBytes: setting(
    'GRPC_MAX_BLOCKED_BYTES',
    'bytes',
    BOUNDS.maxBlockedBytes,
    atLeastOne,
    'Answers that wait for a window of the client; beyond it calls of the connection are RESOURCE_EXHAUSTED.',
  ),
  grpcMaxBufferedBytes: setting(
    'GRPC_MAX_BUFFERED_BYTES',
    'bytes',
    RPC_BOUNDS.maxBufferedBytes,
    atLeastOne,
    'Messages of a connection that are not whole or not read yet, with what they cost beside their bytes, and header lists of more than 1 kB; beyond it calls are RESOURCE_EXHAUSTED.',
  ),
  grpcMaxBufferedBytesOfAll: setting(
    'GRPC_MAX_BUFFERED_BYTES_OF_ALL',
    'bytes',
    RPC_BOUNDS.maxBufferedBytesOfAll,
    atLeastOne,
    'The same of all connections together.',
  ),
});

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** So many at once, and so many a second in the long run. */
function rate(value: string): Rate {
  const parts = /^(\d{1,9}),(\d{1,9})$/.exec(value);
  const [burst, perSecond] = [Number(parts?.[1]), Number(parts?.[2])];
  if (!(burst >= 1 && perSecond >= 1)) throw new Error('expected two whole numbers from 1: at once,a second');
  return { burst, perSecond };
}

function rateText({ burst, perSecond }: Rate): string {
  return `${burst},${perSecond}`;
}
