import { type ChannelCredentials, Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { RateLimitRequest } from '../../src/grpc/client.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';

const TIMEOUT_MS = 25_000;

/** A caller with one connection of its own; callers of gRPC's library share those to one address unless they are told. */
export interface Connection {
  /** `OK`, `OVER_LIMIT`, or `<gRPC status>: <message>`. */
  ask(request: RateLimitRequest): Promise<string>;
  close(): void;
}

export function connection(target: string, trust: ChannelCredentials = credentials.createInsecure()): Connection {
  const client = new Client(target, trust, { 'grpc.use_local_subchannel_pool': 1 });
  const { path, requestSerialize, responseDeserialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService')
    .ShouldRateLimit!;
  return {
    ask: (request) =>
      new Promise((resolve) => {
        const done = (error: ServiceError | null, reply?: object): void => {
          if (error !== null) resolve(`${status[error.code]}: ${error.details}`);
          else resolve((reply as { overallCode: string }).overallCode);
        };
        const options = { deadline: Date.now() + TIMEOUT_MS };
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
      }),
    close: () => client.close(),
  };
}
