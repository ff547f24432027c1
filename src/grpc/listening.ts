import type { AddressInfo, Server } from 'node:net';
import { makeRoom } from './unix-socket.ts';

/**
 * Where a server listens: a port, of which 0 is any free one, or a unix socket. `isPrepared`: there is room at the path,
 * and other workers may serve there already.
 */
export type Place =
  | { readonly host: string; readonly port: number }
  | { readonly path: string; readonly isPrepared?: boolean };

/** Resolves when the server listens. Rejects with a sentence that says where it cannot. */
export async function listen(server: Server, place: Place): Promise<void> {
  await prepare(place);
  await told(place, listening(server, place));
}

/** Takes away what a dead process left at the path of a socket. Rejects with a sentence when somebody serves there. */
export async function prepare(place: Place): Promise<void> {
  if ('path' in place && place.isPrepared !== true) await told(place, makeRoom(place.path));
}

async function told(place: Place, attempt: Promise<void>): Promise<void> {
  try {
    await attempt;
  } catch (error) {
    const where = 'path' in place ? place.path : `${place.host || '*'}:${place.port}`;
    throw new Error(`the gRPC port cannot listen on ${where}: ${(error as Error).message}`, { cause: error });
  }
}

/** As gRPC clients write it: `host:port`, `[host]:port` or `unix:path`; null while the server does not listen. */
export function targetOf(server: Server): string | null {
  const bound = server.address() as AddressInfo | string | null;
  // Node goes on telling the path of a socket that is gone.
  if (bound === null || !server.listening) return null;
  if (typeof bound === 'string') return `unix:${bound}`;
  return `${bound.address.includes(':') ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

function listening(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(withoutFamily(place), () => {
      server.off('error', reject);
      // A connection that could not be accepted is one connection less, not the end of the port.
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Without a host Node listens on all addresses of both families, and on those of IPv4 where there is no IPv6. */
function withoutFamily(place: Place): { path: string } | { host?: string; port: number } {
  if ('path' in place) return { path: place.path };
  const { host, port } = place;
  return host === '' || host === '::' ? { port } : { host, port };
}
