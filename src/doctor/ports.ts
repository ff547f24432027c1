import { createServer } from 'node:net';
import type { Settings } from '../settings/settings.ts';
import { sinksOn } from '../settings/sinks-on.ts';
import { type Finding, fail, ok } from './finding.ts';
import { type Listener, listenerOn } from './listener.ts';
import { unixSocket } from './unix-socket.ts';

export interface Door {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** The settings that say so. */
  readonly settings: string;
}

/** Every port that the service would open is opened and closed again. */
export async function ports(settings: Settings): Promise<readonly Finding[]> {
  const { grpcUds, grpcHost, grpcPort } = settings;
  const grpc = { name: 'gRPC', host: grpcHost, port: grpcPort, settings: 'GRPC_HOST and GRPC_PORT' };
  const doors: Door[] = [
    { name: 'HTTP', host: settings.host, port: settings.port, settings: 'HOST and PORT' },
    ...(grpcUds === null ? [grpc] : []),
    { name: 'admin', host: settings.debugHost, port: settings.debugPort, settings: 'DEBUG_HOST and DEBUG_PORT' },
  ];
  if (sinksOn(settings).prometheus)
    doors.push({ name: 'Prometheus', ...settings.prometheusAddr, settings: 'PROMETHEUS_ADDR' });
  const found: Finding[] = grpcUds === null ? [] : [await unixSocket(grpcUds)];
  // One after the other: two doors with one port must not stand in each other's way here.
  for (const door of doors) found.push(await tried(door));
  return found;
}

async function tried(door: Door): Promise<Finding> {
  const code = await openAndClose(door);
  return portFinding(door, code, code === 'EADDRINUSE' ? await listenerOn(door.port) : null);
}

/** What the code of a failed listen means; null: it did not fail. */
export function portFinding(door: Door, code: string | null, by: Listener | null): Finding {
  const { name, host, port, settings } = door;
  const where = `the ${name} port ${host.includes(':') ? `[${host}]` : host}:${port}`;
  const label = `ports.${name.toLowerCase()}`;
  switch (code) {
    case null:
      return ok(label, port === 0 ? `${where}: any free one will do` : `${where} is free`);
    case 'EADDRINUSE':
      return taken(label, where, settings, by);
    case 'EACCES':
      return fail(label, `${where} may not be opened by this user`, `give ${settings} a port above 1023`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail(label, `${where} is at an address that this host does not have`, `mend ${settings}`);
    default:
      return fail(label, `${where} can't be opened: ${code}`, `mend ${settings}`);
  }
}

function taken(label: string, where: string, settings: string, by: Listener | null): Finding {
  if (by?.isOwn) return ok(label, `${where} is served by this weir (pid ${by.pid})`);
  const whom = by === null ? 'someone else' : `${by.command} (pid ${by.pid})`;
  return fail(label, `${where} is taken by ${whom}`, `end it, or give ${settings} another port`);
}

/** null when it went well, else the code of the error. */
function openAndClose({ host, port }: Door): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, ...(host === '' || host === '::' ? {} : { host }) }, () => server.close(() => resolve(null)));
  });
}
