/** What others know and a scrape asks for. */
export interface Sources {
  readonly inFlight?: () => number;
  readonly localCache?: () => LocalCacheNumbers;
  readonly storeKind?: string;
  readonly redis?: () => readonly RedisNumbers[];
  readonly breakers?: () => BreakerNumbers;
  readonly xds?: () => XdsNumbers;
  readonly sinks?: () => readonly SinkNumbers[];
  readonly grpc?: () => GrpcNumbers;
  readonly tls?: () => TlsNumbers;
  readonly spans?: () => SpanNumbers;
}

/** Of spans that were made. */
export interface SpanNumbers {
  readonly sent: number;
  /** Not taken by the collector, or it was not there in time. */
  readonly failed: number;
  /** There was no room to wait. */
  readonly dropped: number;
}

/** Of connections to the gRPC port. */
export interface GrpcNumbers {
  readonly connections: number;
  /** Connections that were ended for a bound or an error, and calls that were refused for a bound, by that. */
  readonly ended: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
}

/** Of TLS on the gRPC port. */
export interface TlsNumbers {
  /** When the certificate in use ends, in seconds since the epoch. */
  readonly validToSeconds: number;
  readonly reloads: number;
  readonly refusals: number;
  /** Connections that were not let in, by reason. */
  readonly refused: ReadonlyMap<string, number>;
}

/** Of one receiver that numbers are sent to. */
export interface SinkNumbers {
  /** `statsd` or `dogstatsd`. */
  readonly name: string;
  /** Lines that were handed to the system. */
  readonly sent: number;
  /** Lines that were on their way when they could not be. */
  readonly lost: number;
}

/** Of rules that come from a control plane. */
export interface XdsNumbers {
  readonly connected: boolean;
  readonly connects: number;
  readonly accepted: number;
  readonly refused: number;
  /** Milliseconds since the epoch; 0 before the first. */
  readonly acceptedAtMs: number;
}

export interface BreakerNumbers {
  readonly states: Readonly<Record<'closed' | 'open' | 'half_open', number>>;
  readonly openings: number;
  readonly refusals: number;
}

export interface LocalCacheNumbers {
  readonly entries: number;
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly evacuated: number;
  readonly overwritten: number;
}

/** Of one Redis, whatever it consists of. */
export interface RedisNumbers {
  /** `main` or `per_second`. */
  readonly name: string;
  /** Ready now. */
  readonly connections: number;
  readonly connects: number;
  readonly reconnects: number;
  readonly errors: Readonly<Record<string, number>>;
}
