import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type RateLimitRequest, type RateLimitResponse, rlsClient } from '../../src/grpc/client.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';

/** Far more than a busy machine needs, so that only a call that hangs gets there. */
const TIMEOUT_MS = 25_000;

export interface Caller {
  check(request: RateLimitRequest): Promise<RateLimitResponse>;
  /** What a call was answered: `OK`, `OVER_LIMIT`, or `<gRPC status>: <message>`. */
  ask(request: RateLimitRequest): Promise<string>;
  /** What gRPC health says of a service: `SERVING`, or `<gRPC status>`. */
  health(service: string): Promise<string>;
  close(): void;
}

export function caller(port: number): Caller {
  const address = `127.0.0.1:${port}`;
  const limiter = rlsClient(address, { timeoutMs: TIMEOUT_MS });
  const prober = new Client(address, credentials.createInsecure());
  const { requestSerialize, responseDeserialize, path } = serviceNamed('grpc.health.v1.Health').Check!;
  return {
    check: limiter.check,
    ask: (request) =>
      limiter.check(request).then(
        ({ overallCode }) => overallCode,
        ({ code, message }) => `${status[code]}: ${message}`,
      ),
    health: (service) =>
      new Promise((done) => {
        const told = (error: ServiceError | null, reply?: object) =>
          done(error === null ? (reply as { status: string }).status : status[error.code]!);
        const deadline = Date.now() + TIMEOUT_MS;
        prober.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          { service },
          new Metadata(),
          { deadline },
          told,
        );
      }),
    close() {
      limiter.close();
      prober.close();
    },
  };
}

/** A request with one descriptor of one entry. */
export function one(domain: string, key: string, value: string, hits?: number): RateLimitRequest {
  const hitsAddend = hits === undefined ? {} : { hitsAddend: { value: hits } };
  return { domain, descriptors: [{ entries: [{ key, value }], ...hitsAddend }] };
}

/** How often each answer came: `{ OK: 10, OVER_LIMIT: 1 }`. */
export function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}
