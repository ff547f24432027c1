import { type ChannelCredentials, Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { serviceNamed } from './protos.ts';
import { SHOULD_RATE_LIMIT } from './should-rate-limit.ts';

/** A RateLimitRequest as JSON. Absent fields are as good as empty ones, but for `hitsAddend` of a descriptor. */
export interface RateLimitRequest {
  readonly domain: string;
  readonly descriptors: readonly RateLimitDescriptor[];
  readonly hitsAddend?: number;
}

export interface RateLimitDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** The unit by name or by number. */
  readonly limit?: { readonly requestsPerUnit: number; readonly unit: string | number };
  /** A text where 53 bits are not enough. */
  readonly hitsAddend?: { readonly value: number | string };
  readonly isNegativeHits?: boolean;
}

/** A RateLimitResponse as JSON. */
export interface RateLimitResponse {
  readonly overallCode: RateLimitCode;
  readonly statuses: readonly RateLimitStatus[];
  readonly responseHeadersToAdd: readonly { readonly key: string; readonly value: string }[];
  /** A google.protobuf.Struct, field by field. */
  readonly dynamicMetadata: object | null;
}

export type RateLimitCode = 'UNKNOWN' | 'OK' | 'OVER_LIMIT';

export interface RateLimitStatus {
  readonly code: RateLimitCode;
  /** null when nothing limits the descriptor. A unit the protocol has no name for is a number. */
  readonly currentLimit: {
    readonly requestsPerUnit: number;
    readonly unit: string | number;
    readonly name: string;
  } | null;
  readonly limitRemaining: number;
  readonly durationUntilReset: { readonly seconds: number } | null;
}

/** The service answered with an error, or not at all. `code` is gRPC's, the message what the service said. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: number;
  constructor(code: number, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface RlsClient {
  /** Rejects with CallError. */
  check(request: RateLimitRequest): Promise<RateLimitResponse>;
  close(): void;
}

export interface RlsClientOptions {
  /** After that the call is DEADLINE_EXCEEDED. */
  readonly timeoutMs: number;
  /** Absent: plain text. */
  readonly tls?: ClientTls | undefined;
}

/** What is in PEM files. */
export interface ClientTls {
  /** Authorities to trust; absent: those of the system. */
  readonly ca?: Buffer | undefined;
  /** For a service that asks who calls; both or neither. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** What the service's certificate must be for, where that is not the host of the address. */
  readonly serverName?: string | undefined;
}

/**
 * Asks a rate limit service. `address` is `host:port`, or `unix:path`. Throws an Error when certificate and key do not
 * serve.
 */
export function rlsClient(address: string, { timeoutMs, tls }: RlsClientOptions): RlsClient {
  const { requestSerialize, responseDeserialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
    .ShouldRateLimit!;
  const named = tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName };
  const client = new Client(address, channelCredentials(tls), named);
  return {
    check: (request) =>
      new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, reply?: object): void => {
          if (error !== null) reject(new CallError(error.code, error.details, error));
          else resolve(reply as RateLimitResponse);
        };
        const options = { deadline: Date.now() + timeoutMs };
        client.makeUnaryRequest(SHOULD_RATE_LIMIT, requestSerialize, responseDeserialize, request, options, done);
      }),
    close: () => client.close(),
  };
}

function channelCredentials(tls: ClientTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}
