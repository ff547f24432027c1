import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** GET, from an address of this machine such as 127.0.0.2. */
export async function get(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  localAddress = '127.0.0.1',
): Promise<Reply> {
  const asked = request({ host: '127.0.0.1', port, path, headers, localAddress, agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
}

/** A reverse proxy that adds the address of whoever asks to X-Forwarded-For, as all of them do. */
export async function proxy(upstream: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(async (asked, answer) => {
    const said = asked.headers['x-forwarded-for'];
    const forwarded = [...(said === undefined ? [] : [said]), asked.socket.remoteAddress].join(', ');
    const { status, headers, body } = await get(upstream, asked.url ?? '/', { 'X-Forwarded-For': forwarded });
    answer.writeHead(status, headers).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
