import { BOUNDS, MAX_CONNECTIONS } from '../../wire/http2/bounds.ts';
import { integerBetween } from '../go-values.ts';
import { atLeastOne, atLeastOneMs, COUNT_MOST, inGroup, inSeconds, longDuration, setting } from '../setting.ts';

export const CONNECTIONS = inGroup('Connections to the gRPC port', {
  grpcMaxConnections: setting(
    'GRPC_MAX_CONNECTIONS',
    'number',
    MAX_CONNECTIONS,
    atLeastOne,
    'Connections to the gRPC port, of each worker; more are closed at once.',
  ),
  grpcMaxStreams: setting(
    'GRPC_MAX_STREAMS',
    'number',
    BOUNDS.maxConcurrentStreams,
    integerBetween(1_024, COUNT_MOST),
    'Calls that one connection may have open. Envoy fails those beyond.',
  ),
  grpcMaxConnectionAgeMs: longDuration(
    'GRPC_MAX_CONNECTION_AGE',
    '24h',
    'A connection so old, give or take a tenth, is asked to leave (GOAWAY) at its next call. 0: never.',
  ),
  grpcMaxConnectionAgeGraceMs: longDuration(
    'GRPC_MAX_CONNECTION_AGE_GRACE',
    '1h',
    'What its calls may take from then on; then it is cut. 0: as long as they like.',
  ),
  grpcMaxConnectionIdleMs: longDuration(
    'GRPC_MAX_CONNECTION_IDLE',
    inSeconds(BOUNDS.idleTimeoutMs),
    'A connection without calls for so long is asked to leave. 0: it is kept.',
  ),
  grpcKeepaliveTimeMs: longDuration(
    'GRPC_KEEPALIVE_TIME',
    inSeconds(BOUNDS.keepaliveTimeMs),
    'A connection that is silent for so long is pinged. 0: never.',
  ),
  grpcKeepaliveTimeoutMs: setting(
    'GRPC_KEEPALIVE_TIMEOUT',
    'duration',
    inSeconds(BOUNDS.keepaliveTimeoutMs),
    atLeastOneMs,
    'It is cut when it stays silent for so long then.',
  ),
  grpcHandshakeTimeoutMs: setting(
    'GRPC_HANDSHAKE_TIMEOUT',
    'duration',
    inSeconds(BOUNDS.handshakeTimeoutMs),
    atLeastOneMs,
    'How long TLS may take; on wire also the first words of HTTP/2, the acknowledgement of ours, and a block of headers.',
  ),
  grpcMaxHeaderListBytes: setting(
    'GRPC_MAX_HEADER_LIST_BYTES',
    'bytes',
    BOUNDS.maxHeaderListBytes,
    integerBetween(4_096, 16_777_216),
    'Header fields of a call. Beyond it the call is refused; on wire, a list 16 times as long ends the connection.',
  ),
});
