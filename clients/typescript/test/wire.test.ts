import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { HEALTH_WATCH, SHOULD_RATE_LIMIT } from '../src/wire.ts';

/** The .proto files of the project. */
const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const WRITTEN = loadSync(['envoy/service/ratelimit/v3/rls.proto', 'grpc/health/v1/health.proto'], {
  includeDirs: [PROTO],
  longs: Number,
  defaults: true,
});

const REQUEST = {
  domain: 'shop',
  descriptors: [
    {
      entries: [{ key: 'user', value: 'ann' }],
      limit: { requestsPerUnit: 7, unit: 6 },
      hitsAddend: { value: 9_007_199_254_740_991 },
      isNegativeHits: true,
    },
  ],
  hitsAddend: 4_294_967_295,
};
const RESPONSE = {
  overallCode: 2,
  statuses: [
    {
      code: 2,
      currentLimit: { requestsPerUnit: 3, unit: 7, name: 'x' },
      limitRemaining: 1,
      durationUntilReset: { seconds: 86_400, nanos: 5 },
    },
  ],
  responseHeadersToAdd: [{ key: 'a', value: 'b' }],
};

describe('the messages that travel', () => {
  it('are those of the .proto files, on the same paths', () => {
    const limiter = WRITTEN['envoy.service.ratelimit.v3.RateLimitService'] as ServiceDefinition;
    const health = WRITTEN['grpc.health.v1.Health'] as ServiceDefinition;
    for (const [mine, theirs, request, response] of [
      [SHOULD_RATE_LIMIT, limiter.ShouldRateLimit!, REQUEST, RESPONSE],
      [HEALTH_WATCH, health.Watch!, { service: 'ratelimit' }, { status: 2 }],
    ] as const) {
      assert.equal(mine.path, theirs.path);
      assert.equal(mine.responseStream, theirs.responseStream);
      assert.deepEqual(mine.requestSerialize(request), theirs.requestSerialize(request));
      assert.deepEqual(mine.responseSerialize(response), theirs.responseSerialize(response));
      assert.deepEqual(mine.requestDeserialize(theirs.requestSerialize(request)), request);
      assert.deepEqual(mine.responseDeserialize(theirs.responseSerialize(response)), response);
    }
  });
});
