import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Answer, Recorded } from './scenario.ts';

const DEADLINE_MS = 15_000;
const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));

/** Sends proto3 JSON over gRPC and gives the answers back as proto3 JSON: zero values left out. */
export interface Caller {
  shouldRateLimit(request: Recorded): Promise<Answer>;
  health(service: string): Promise<Answer>;
  close(): void;
}

type Unary = (message: object, options: object, done: (error: ServiceError | null, answer?: Message) => void) => void;
type Stub = Client & Readonly<Record<string, Unary>>;
// biome-ignore lint/suspicious/noExplicitAny: what proto-loader makes has no static shape
type Message = any;

const loaded = loadPackageDefinition(
  loadSync(['envoy/service/ratelimit/v3/rls.proto', 'grpc/health/v1/health.proto'], {
    includeDirs: [PROTO],
    longs: String,
    enums: String,
    defaults: false,
    oneofs: true,
  }),
) as Message;
const { RateLimitService } = loaded.envoy.service.ratelimit.v3;
const { Health } = loaded.grpc.health.v1;

export function caller(address: string): Caller {
  const options = {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
  };
  const limiter: Stub = new RateLimitService(address, credentials.createInsecure(), options);
  const health: Stub = new Health(address, credentials.createInsecure(), options);
  return {
    async shouldRateLimit(request) {
      const { error, answer } = await call(limiter, 'shouldRateLimit', messageOf(request));
      return error ? { error } : { response: responseOf(answer) };
    },
    async health(service) {
      const { error, answer } = await call(health, 'check', { service });
      return error ? { error } : { status: answer.status ?? 'UNKNOWN' };
    },
    close() {
      limiter.close();
      health.close();
    },
  };
}

type Called = { error: { code: string; message: string }; answer?: never } | { error?: never; answer: Message };

function call(stub: Stub, method: string, message: object): Promise<Called> {
  return new Promise((done) => {
    stub[method]!(message, { deadline: Date.now() + DEADLINE_MS }, (error, answer) =>
      done(error ? { error: { code: status[error.code] ?? String(error.code), message: error.details } } : { answer }),
    );
  });
}

/** JSON writes a UInt64Value as a bare number; on the wire it is a message. */
function messageOf({ descriptors, ...rest }: Recorded): object {
  return {
    ...rest,
    descriptors: ((descriptors ?? []) as Recorded[]).map(({ hitsAddend, ...descriptor }) =>
      hitsAddend === undefined ? descriptor : { ...descriptor, hitsAddend: { value: String(hitsAddend) } },
    ),
  };
}

function responseOf(answer: Message): Recorded {
  return withoutZeros({
    overallCode: answer.overallCode,
    statuses: answer.statuses?.map(statusOf),
    responseHeadersToAdd: answer.responseHeadersToAdd?.map(headerOf),
    requestHeadersToAdd: answer.requestHeadersToAdd?.map(headerOf),
    rawBody: answer.rawBody?.toString('base64'),
    dynamicMetadata: answer.dynamicMetadata ? structOf(answer.dynamicMetadata) : undefined,
    quota: answer.quota,
  });
}

function statusOf(it: Message): Recorded {
  const { currentLimit: limit, durationUntilReset: left } = it;
  return withoutZeros({
    code: it.code,
    currentLimit: limit
      ? withoutZeros({ requestsPerUnit: limit.requestsPerUnit, unit: limit.unit, name: limit.name })
      : undefined,
    limitRemaining: it.limitRemaining,
    durationUntilReset: left ? `${left.seconds ?? 0}${left.nanos ? `.${left.nanos}` : ''}s` : undefined,
    quota: it.quota,
  });
}

const headerOf = ({ key, value }: Message): Recorded => ({ key: key ?? '', value: value ?? '' });

function withoutZeros(fields: Record<string, unknown>): Recorded {
  const kept = Object.entries(fields).filter(([, it]) => it && !(Array.isArray(it) && it.length === 0));
  return Object.fromEntries(kept);
}

function structOf({ fields = {} }: Message): Recorded {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonOf(value)]));
}

function jsonOf(it: Message): unknown {
  if (it.structValue) return structOf(it.structValue);
  if (it.listValue) return (it.listValue.values ?? []).map(jsonOf);
  // Go's protobuf text form holds one space or two, at random.
  if (it.stringValue !== undefined) return it.stringValue.replace(/ +/g, ' ');
  return it.numberValue ?? it.boolValue ?? null;
}
