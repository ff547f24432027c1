import type { Rate } from './bucket.ts';

/** The bounds that end a connection when they are passed, as the numbers of a server name them. */
export const BOUND_NAMES = [
  'max_control_frames',
  'max_resets',
  'max_stream_errors',
  'max_continuations',
  'max_header_list_bytes',
  'handshake_timeout',
  'keepalive_timeout',
  'stall_timeout',
  'max_connection_age_grace',
  'max_connections',
] as const;

export type Bound = (typeof BOUND_NAMES)[number];

/** The bounds that refuse a call, and nothing else. */
export const REFUSAL_NAMES = [
  'max_streams',
  'max_running_calls',
  'max_header_list_bytes',
  'max_blocked_bytes',
  'max_buffered_bytes',
  'max_buffered_bytes_of_all',
  'request_timeout',
] as const;

export type Refusal = (typeof REFUSAL_NAMES)[number];

/** What one connection may ask of us. Times in milliseconds; 0 turns a time off. */
export interface Bounds {
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxConcurrentStreams: number;
  /** SETTINGS_MAX_HEADER_LIST_SIZE: a longer list is refused, one of 16 times as much ends the connection. */
  readonly maxHeaderListBytes: number;
  /** CONTINUATION frames of a block. */
  readonly maxContinuations: number;
  /** What a peer may send before we give more: on a connection, and on a stream of it. */
  readonly connectionWindowBytes: number;
  readonly streamWindowBytes: number;
  /** Unsent bytes beyond which we read nothing more from the connection until they are sent. */
  readonly maxUnsentBytes: number;
  /** Replies that wait for a window of the peer; beyond it new calls are refused. */
  readonly maxBlockedBytes: number;
  /** SETTINGS (20 each), PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown frames. A request earns 8. */
  readonly maxControlFrames: Rate;
  /** Streams that the peer resets before they cost a handler. */
  readonly maxResets: Rate;
  /** Streams that the peer makes us reset by what RFC 9113 calls an error of the stream. */
  readonly maxStreamErrors: Rate;
  /** Until the preface and the first SETTINGS, until our SETTINGS are acknowledged, and for a block of headers. */
  readonly handshakeTimeoutMs: number;
  /** A connection that has been silent for so long is pinged, and cut when it stays silent. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection without calls for so long is closed. */
  readonly idleTimeoutMs: number;
  /** How long a peer may take nothing of what waits for it. */
  readonly stallTimeoutMs: number;
  /** Then it is told to go; up to a tenth of it more or less, so that not all go at once. */
  readonly maxAgeMs: number;
  /** What its calls may take from then on. */
  readonly maxAgeGraceMs: number;
}

/** What a connection has unless it is told otherwise. */
export const BOUNDS: Bounds = {
  maxConcurrentStreams: 4_096,
  maxHeaderListBytes: 65_536,
  maxContinuations: 16,
  connectionWindowBytes: 16 * 1024 * 1024,
  streamWindowBytes: 1024 * 1024,
  maxUnsentBytes: 256 * 1024,
  maxBlockedBytes: 64 * 1024 * 1024,
  maxControlFrames: { burst: 4_000, perSecond: 400 },
  maxResets: { burst: 10_000, perSecond: 1_000 },
  maxStreamErrors: { burst: 200, perSecond: 20 },
  handshakeTimeoutMs: 10_000,
  // As in gRPC's other servers, but sooner: theirs is two hours.
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  idleTimeoutMs: 0,
  stallTimeoutMs: 60_000,
  maxAgeMs: 0,
  maxAgeGraceMs: 10_000,
};

/** Of a server; those beyond are closed unanswered. */
export const MAX_CONNECTIONS = 10_000;
