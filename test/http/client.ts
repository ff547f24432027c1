import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import type { HttpServer } from '../../src/http/server.ts';

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string | number>;
}

export function portOf(server: HttpServer): number {
  const address = server.address();
  if (address === null) throw new Error('the server does not listen');
  return address.port;
}

/** One request over a connection of its own. */
export function fetchFrom(server: HttpServer, path: string, { method = 'GET', body, headers }: Ask = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: portOf(server), path, method, agent: false, ...(headers && { headers }) },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(parts).toString('utf8'),
          }),
        );
      },
    );
    asked.once('error', reject);
    asked.end(body);
  });
}

/** Writes bytes as they are, and gives back all that came until the server closed. */
export function raw(server: HttpServer, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect(portOf(server), '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (part) => parts.push(part));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(parts).toString('utf8')));
  });
}
