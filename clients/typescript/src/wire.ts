import { fromJSON, type ServiceDefinition } from '@grpc/proto-loader';

/**
 * The messages that travel, as protobufjs writes them down: the part of Envoy's rate limit API v3 that a caller needs, and
 * gRPC's health check. They stand in code, so that a bundler takes them along.
 */
const DESCRIPTION = packages({
  'google.protobuf': {
    Duration: message({ seconds: ['int64', 1], nanos: ['int32', 2] }),
    UInt64Value: message({ value: ['uint64', 1] }),
  },
  'envoy.config.core.v3': { HeaderValue: message({ key: ['string', 1], value: ['string', 2] }) },
  'envoy.extensions.common.ratelimit.v3': {
    RateLimitDescriptor: message(
      {
        entries: ['repeated Entry', 1],
        limit: ['RateLimitOverride', 2],
        hitsAddend: ['.google.protobuf.UInt64Value', 3],
        isNegativeHits: ['bool', 4],
      },
      {
        Entry: message({ key: ['string', 1], value: ['string', 2] }),
        RateLimitOverride: message({ requestsPerUnit: ['uint32', 1], unit: ['int32', 2] }),
      },
    ),
  },
  'envoy.service.ratelimit.v3': {
    RateLimitRequest: message({
      domain: ['string', 1],
      descriptors: ['repeated .envoy.extensions.common.ratelimit.v3.RateLimitDescriptor', 2],
      hitsAddend: ['uint32', 3],
    }),
    RateLimitResponse: message(
      {
        overallCode: ['int32', 1],
        statuses: ['repeated DescriptorStatus', 2],
        responseHeadersToAdd: ['repeated .envoy.config.core.v3.HeaderValue', 3],
      },
      {
        RateLimit: message({ requestsPerUnit: ['uint32', 1], unit: ['int32', 2], name: ['string', 3] }),
        DescriptorStatus: message({
          code: ['int32', 1],
          currentLimit: ['RateLimit', 2],
          limitRemaining: ['uint32', 3],
          durationUntilReset: ['.google.protobuf.Duration', 4],
        }),
      },
    ),
    RateLimitService: {
      methods: { ShouldRateLimit: { requestType: 'RateLimitRequest', responseType: 'RateLimitResponse' } },
    },
  },
  'grpc.health.v1': {
    HealthCheckRequest: message({ service: ['string', 1] }),
    HealthCheckResponse: message({ status: ['int32', 1] }),
    Health: {
      methods: {
        Watch: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse', responseStream: true },
      },
    },
  },
});

const LOADED = fromJSON(DESCRIPTION as Parameters<typeof fromJSON>[0], { longs: Number, defaults: true });

export const SHOULD_RATE_LIMIT = method('envoy.service.ratelimit.v3.RateLimitService', 'ShouldRateLimit');
export const HEALTH_WATCH = method('grpc.health.v1.Health', 'Watch');

export interface WireRequest {
  readonly domain: string;
  readonly descriptors: readonly WireDescriptor[];
  /** 0 is read as 1 by the service. */
  readonly hitsAddend: number;
}

export interface WireDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly limit?: { readonly requestsPerUnit: number; readonly unit: number };
  readonly hitsAddend?: { readonly value: number };
  readonly isNegativeHits?: boolean;
}

export interface WireResponse {
  /** 1 is OK, 2 OVER_LIMIT. */
  readonly overallCode: number;
  readonly statuses: readonly WireStatus[];
  readonly responseHeadersToAdd: readonly { readonly key: string; readonly value: string }[];
}

export interface WireStatus {
  readonly code: number;
  readonly currentLimit: { readonly requestsPerUnit: number; readonly unit: number; readonly name: string } | null;
  readonly limitRemaining: number;
  readonly durationUntilReset: { readonly seconds: number; readonly nanos: number } | null;
}

function method(service: string, name: string) {
  const found = (LOADED[service] as ServiceDefinition)[name];
  if (found === undefined) throw new Error(`${service} lacks ${name}`);
  return found;
}

function message(fields: Record<string, readonly [type: string, id: number]>, nested: object = {}) {
  const described = Object.entries(fields).map(([name, [type, id]]) => {
    const [, repeated, plain] = /^(repeated )?(.*)$/.exec(type) as RegExpExecArray;
    return [name, { type: plain, id, ...(repeated ? { rule: 'repeated' } : {}) }];
  });
  return { fields: Object.fromEntries(described), nested };
}

/** Puts each package at the place that its dotted name says. */
function packages(contents: Record<string, object>): object {
  const root: { nested: Record<string, never> } = { nested: {} };
  for (const [name, nested] of Object.entries(contents)) {
    let place = root as { nested: Record<string, { nested: Record<string, never> }> };
    for (const part of name.split('.')) {
      place.nested[part] ??= { nested: {} };
      place = place.nested[part];
    }
    Object.assign(place.nested, nested);
  }
  return { options: { syntax: 'proto3' }, ...root };
}
