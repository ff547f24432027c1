import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What starts weir: `npm run build` of the project has made it, or WEIR_COMMAND names another. */
const COMMAND = (
  process.env.WEIR_COMMAND ?? `${process.execPath} ${fileURLToPath(new URL('../../../dist/main.js', import.meta.url))}`
).split(' ') as [string, ...string[]];
const PATIENCE_MS = 30_000;
const PAUSE_MS = 15;

export const RULES = `
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 3, name: per-user }
  - key: path
    rate_limit: { unit: year, requests_per_unit: 100 }
  - key: slow
    rate_limit: { unit: year, unit_multiplier: 2, requests_per_unit: 5 }
  - key: free
    rate_limit: { unlimited: true }
`;

export interface Service {
  /** host:port, or unix:/path. */
  readonly address: string;
  /** How many checks it has answered. */
  checks(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts a weir of its own that counts in memory, and waits until it is healthy. */
export async function service(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const [grpc, http, admin] = [await freePort(), await freePort(), await freePort()];
  const dir = await mkdtemp(join(tmpdir(), 'weir-client-'));
  await writeFile(join(dir, 'rules.yaml'), RULES);
  const [command, ...words] = COMMAND;
  const child = spawn(command, [...words, 'serve', '--rules', join(dir, 'rules.yaml')], {
    env: {
      PATH: process.env.PATH,
      BACKEND_TYPE: 'memory',
      LOG_LEVEL: 'error',
      HOST: '127.0.0.1',
      GRPC_HOST: '127.0.0.1',
      DEBUG_HOST: '127.0.0.1',
      PORT: String(http),
      GRPC_PORT: String(grpc),
      DEBUG_PORT: String(admin),
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  await eventually('weir to be healthy', async () => {
    if (child.exitCode !== null) throw new Error(`weir ended with ${child.exitCode}`);
    return (await fetch(`http://127.0.0.1:${http}/readyz`)).ok;
  });
  return {
    address: env.GRPC_UDS === undefined ? `127.0.0.1:${grpc}` : `unix:${env.GRPC_UDS}`,
    async checks() {
      const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
      const counts = text.matchAll(/^ratelimit_decisions_total\{.*\} (\d+)$/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async stop() {
      await ended(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

/** Polls until the probe is true, and fails after half a minute. */
export async function eventually(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  let last: unknown = 'not yet';
  while (Date.now() < end) {
    try {
      if (await probe()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  throw new Error(`waited in vain for ${what}: ${last}`);
}

export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  listener.close();
  await once(listener, 'close');
  return port;
}

export interface Certificates {
  readonly dir: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority, and one certificate of it for `weir.test` that serves on both sides. */
export async function certificates(): Promise<Certificates> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-client-tls-'));
  const at = (name: string) => join(dir, name);
  const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: dir, stdio: 'pipe' });
  const key = 'req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`${key} -x509 -keyout ca.key -out ca.crt -subj /CN=tests -days 2`);
  openssl(`${key} -keyout own.key -out own.csr -subj /CN=weir.test -addext subjectAltName=DNS:weir.test`);
  openssl('x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out own.crt -days 2 -copy_extensions copy');
  return { dir, ca: at('ca.crt'), cert: at('own.crt'), key: at('own.key') };
}
