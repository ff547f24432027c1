import { type Client, type Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { adsMethod, type DiscoveryRequest, type DiscoveryResponse } from './discovery.ts';

export interface AdsStreamOptions {
  readonly headers: Metadata;
  /** The connection stands. */
  readonly onOpen: () => void;
  readonly onResponse: (response: DiscoveryResponse) => void;
}

export interface AdsStream {
  send(request: DiscoveryRequest): void;
  /** Why it ended, in words. Never rejects. */
  readonly ended: Promise<string>;
  end(): void;
}

const CONNECT_TIMEOUT_MS = 20_000;

/** StreamAggregatedResources. The client is closed with the stream. */
export function adsStream(client: Client, { headers, onOpen, onResponse }: AdsStreamOptions): AdsStream {
  const { path, requestSerialize, responseDeserialize } = adsMethod();
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, headers);
  let over = false;
  let late = '';
  const ended = new Promise<string>((resolve) => {
    call.on('status', ({ code, details }: StatusObject) => {
      over = true;
      client.close();
      resolve(late || `${status[code]}${details === '' ? '' : `: ${details}`}`);
    });
  });
  // What an error is told of is told by the status too, which always comes.
  call.on('error', () => {});
  call.on('data', onResponse);
  client.waitForReady(Date.now() + CONNECT_TIMEOUT_MS, (error) => {
    if (over) return;
    if (error === undefined) {
      onOpen();
    } else {
      late = `no connection within ${CONNECT_TIMEOUT_MS} ms`;
      call.cancel();
    }
  });
  return {
    send: (request) => void call.write(request),
    ended,
    end: () => call.cancel(),
  };
}
