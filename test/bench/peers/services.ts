import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { goService } from '../../foreign/go-tools.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/port.ts';
import { type OwnProcess, ownProcess } from '../../support/process.ts';
import type { OwnRedis } from '../../support/redis.ts';
import { rulesOfScenarios } from './scenario.ts';

const DIST = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export const NAMES = ['go', 'weir'] as const;
export type Name = (typeof NAMES)[number];

export interface Service {
  readonly process: OwnProcess;
  readonly port: number;
}

/** Both on core 0, with the same rules, the same Redis and the same environment; what that leaves out is each one's default. */
export async function services(dir: string, redis: OwnRedis): Promise<Readonly<Record<Name, Service>>> {
  const config = path.join(dir, 'ratelimit', 'config');
  mkdirSync(config, { recursive: true });
  writeFileSync(path.join(config, 'rules.yaml'), rulesOfScenarios());
  const go = await goService();
  return {
    go: await service('go', [go], dir, redis),
    weir: await service('weir', [process.execPath, DIST, 'serve'], dir, redis),
  };
}

async function service(name: Name, command: readonly string[], dir: string, redis: OwnRedis): Promise<Service> {
  const [port, httpPort, debugPort] = [await freePort(), await freePort(), await freePort()];
  const child = await ownProcess({
    name,
    command: 'taskset',
    args: ['-c', '0', ...command],
    env: {
      HOST: '127.0.0.1',
      GRPC_HOST: '127.0.0.1',
      DEBUG_HOST: '127.0.0.1',
      PORT: String(httpPort),
      GRPC_PORT: String(port),
      DEBUG_PORT: String(debugPort),
      RUNTIME_ROOT: dir,
      RUNTIME_SUBDIRECTORY: 'ratelimit',
      RUNTIME_APPDIRECTORY: 'config',
      RUNTIME_WATCH_ROOT: 'false',
      RUNTIME_IGNOREDOTFILES: 'true',
      REDIS_SOCKET_TYPE: 'tcp',
      REDIS_URL: redis.url,
      USE_STATSD: 'false',
      GRPC_TRANSPORT: 'wire',
    },
  });
  try {
    await eventually(`${name} answers /healthcheck`, async () => {
      if (!child.running()) return true;
      return (await fetch(`http://127.0.0.1:${httpPort}/healthcheck`)).ok;
    });
    if (!child.running()) throw new Error(`it ended with ${(await child.ended).code}`);
  } catch (error) {
    await child.stop();
    throw new Error(`${(error as Error).message}\n${child.output().slice(-2_000)}`);
  }
  return { process: child, port };
}
