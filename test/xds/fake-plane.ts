import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { adsMethod, type DiscoveryRequest, type DiscoveryResponse, TYPE_URL } from '../../src/xds/discovery.ts';
import { eventually } from '../support/eventually.ts';

/** A control plane that sends what a test tells it, right or wrong. */
export interface FakePlane {
  readonly address: string;
  /** To the newest stream. */
  send(response: DiscoveryResponse): void;
  /** What came on all streams so far. */
  readonly requests: readonly DiscoveryRequest[];
  /** Polls until so many requests have come, and returns the last of them. */
  request(count: number): Promise<DiscoveryRequest>;
  close(): void;
}

export async function fakePlane(): Promise<FakePlane> {
  const requests: DiscoveryRequest[] = [];
  let stream: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse> | null = null;
  const server = new Server();
  server.addService(
    { stream: adsMethod() },
    {
      stream(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) {
        stream = call;
        call.on('data', (request: DiscoveryRequest) => requests.push(request));
        call.on('error', () => {});
      },
    },
  );
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : fail(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    send: (response) => void stream!.write({ type_url: TYPE_URL, ...response }),
    requests,
    request: (count) => eventually(`${count} requests`, () => requests.length >= count && requests[count - 1]),
    close: () => server.forceShutdown(),
  };
}
