import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goProgram } from '../foreign/toolchain.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

/** As `control-plane/set.go` reads it. `unit` is the number in RateLimitUnit. */
export interface PlaneDomain {
  readonly name: string;
  readonly domain: string;
  readonly descriptors: readonly PlaneRule[];
}

export interface PlaneRule {
  readonly key: string;
  readonly value?: string;
  readonly rate_limit?: { readonly unit?: number; readonly requests_per_unit?: number; readonly unlimited?: boolean };
  readonly descriptors?: readonly PlaneRule[];
  readonly shadow_mode?: boolean;
  readonly quota_mode?: boolean;
  readonly metadata?: object;
}

/** What a client sent. */
export interface PlaneRequest {
  readonly stream: number;
  readonly version: string;
  readonly nonce: string;
  /** '' for the first request of a stream, and for an ACK. */
  readonly error: string;
  readonly nodeId: string;
  readonly metadata: object;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ControlPlane {
  /** For CONFIG_GRPC_XDS_SERVER_URL. */
  readonly address: string;
  /** From now on this is the whole set. */
  set(version: string, ...domains: readonly PlaneDomain[]): Promise<void>;
  /** Since the last start, in order. */
  requests(): Promise<readonly PlaneRequest[]>;
  /** Ends every stream. */
  reset(): Promise<void>;
  kill(): Promise<void>;
  /** Again, on the same ports and without a set. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface ControlPlaneTls {
  readonly cert: string;
  readonly key: string;
  /** Signs the certificates of clients. */
  readonly ca: string;
}

export const NODE = 'weir-test';

const SOURCE = join(fileURLToPath(new URL('.', import.meta.url)), 'control-plane');

/** The path of the program, which is built when Go is there. */
export const controlPlaneProgram = (): Promise<string> => goProgram(SOURCE, 'weir-control-plane');

export async function controlPlane(binary: string, tls?: ControlPlaneTls, node = NODE): Promise<ControlPlane> {
  const address = `127.0.0.1:${await freePort()}`;
  const admin = `127.0.0.1:${await freePort()}`;
  const files = tls === undefined ? [] : [tls.cert, tls.key, tls.ca];
  let running: OwnProcess;

  async function ask(method: string, path: string, body?: object): Promise<string> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const reply = await fetch(`http://${admin}${path}`, init);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`control plane: ${text}`);
    return text;
  }

  const requests = async () => JSON.parse(await ask('GET', '/requests')) as PlaneRequest[];

  async function start(): Promise<void> {
    running = await ownProcess({ name: 'control plane', command: binary, args: [address, admin, node, ...files] });
    await eventually('the control plane to answer', async () => {
      if (!running.running()) throw new Error(running.output());
      return requests();
    });
  }

  await start();
  return {
    address,
    set: async (version, ...domains) => void (await ask('PUT', '/set', { version, domains })),
    requests,
    reset: async () => void (await ask('POST', '/reset')),
    kill: async () => void (await running.kill()),
    start,
    close: async () => void (await running.stop()),
  };
}
