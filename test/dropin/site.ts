import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { childOf, type Image, inImage, mountPoint } from '../container/image.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { type Files, mounted } from '../support/config-map.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type ControlPlane, controlPlane, controlPlaneProgram, type PlaneDomain } from '../xds/control-plane.ts';
import { type Deployment, mapping } from './deployment.ts';

/** A deployment with all that it needs. The service is started by `start`, so that what comes first can be chosen. */
export interface Site {
  readonly ports: Readonly<Record<'http' | 'grpc' | 'admin' | 'prometheus', number>>;
  readonly redis: OwnRedis;
  /** Signs and is trusted on both sides of the gRPC port. */
  readonly authority: Certificates;
  start(): Promise<void>;
  /** A second one with the exact environment, in a network of its own where nobody else is. */
  startAlone(): Promise<OwnProcess>;
  /** Of the service itself, not of what holds it. */
  signal(name: NodeJS.Signals): void;
  process(): OwnProcess;
  /** A new set of rules, as a swap of the ConfigMap or as a set of the control plane. */
  replace(rules: readonly PlaneDomain[]): Promise<void>;
  close(): Promise<void>;
}

/** What the names of a cluster lead to. glibc asks nobody but this file then. */
const HOSTS: Files = {
  hosts: '127.0.0.1 localhost redis envoy-gateway\n',
  'nsswitch.conf': 'hosts: files\n',
};

export async function site(image: Image, deployment: Deployment): Promise<Site> {
  const { env } = deployment;
  const root = await mkdtemp(join(tmpdir(), 'weir-dropin-'));
  const mounts: Record<string, string> = {};
  const mount = async (path: string, files: Files): Promise<void> => {
    mounts[path] ??= join(root, path);
    mountPoint(image, path);
    await mkdir(mounts[path], { recursive: true });
    await mounted(mounts[path], files);
  };
  const redis = await ownRedis();
  const authority = await certificates();
  const http = await freePort();
  const ports = { http, grpc: await freePort(), admin: await freePort(), prometheus: await freePort() };

  mounts['/etc'] = join(root, 'etc');
  mountPoint(image, '/etc');
  await mkdir(mounts['/etc'], { recursive: true });
  for (const [name, text] of Object.entries(HOSTS)) await writeFile(join(mounts['/etc'], name), text);
  // Below /etc, so it comes along with that.
  if (env.PROMETHEUS_MAPPER_YAML !== undefined) {
    const directory = join(root, dirname(env.PROMETHEUS_MAPPER_YAML));
    await mkdir(directory, { recursive: true });
    await mounted(directory, { 'conf.yaml': mapping() });
  }
  if (deployment.certificates !== undefined) {
    await mount(deployment.certificates.path, await secret(authority, deployment.certificates.names));
  }
  const plane = env.CONFIG_TYPE === undefined ? null : await planeFor(authority, env.CONFIG_GRPC_XDS_NODE_ID ?? '');
  let version = 0;
  async function replace(rules: readonly PlaneDomain[]): Promise<void> {
    if (plane !== null) await plane.set(String(++version), ...rules);
    else await mount(deployment.configMap ?? '', { 'config.yaml': stringify(rules[0]) });
  }
  await replace(deployment.rules);

  const inside: Record<string, string> = {
    ...env,
    ...numbersOf(env, { REDIS_URL: redis.port, PROMETHEUS_ADDR: ports.prometheus }),
    ...(plane === null ? {} : numbersOf(env, { CONFIG_GRPC_XDS_SERVER_URL: portOf(plane.address) })),
    ...{ PORT: String(ports.http), GRPC_PORT: String(ports.grpc), DEBUG_PORT: String(ports.admin) },
    ...{ HOST: env.HOST ?? '127.0.0.1', GRPC_HOST: env.GRPC_HOST ?? '127.0.0.1', DEBUG_HOST: '127.0.0.1' },
    // A busy machine must not make errors.
    REDIS_COMMAND_TIMEOUT: '10s',
  };
  let running: OwnProcess | undefined;
  let alone: OwnProcess | undefined;
  return {
    ports,
    redis,
    authority,
    async start() {
      const [command = '', ...args] = inImage(image, inside, mounts, deployment.command);
      running = await ownProcess({ name: deployment.name, command, args });
    },
    async startAlone() {
      const [command = '', ...args] = inImage(image, env, mounts, deployment.command);
      alone = await ownProcess({ name: deployment.name, command, args: ['--unshare-net', ...args] });
      return alone;
    },
    signal: (name) => void process.kill(childOf(running?.pid ?? 0), name),
    process: () => running as OwnProcess,
    replace,
    async close() {
      await running?.stop();
      await alone?.stop();
      await plane?.close();
      await redis.stop();
      await authority.remove();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function secret(authority: Certificates, names: string): Promise<Files> {
  const { cert, key } = await authority.sign(names);
  const text = (path: string) => readFile(path, 'utf8');
  return { 'tls.crt': await text(cert), 'tls.key': await text(key), 'ca.crt': await text(authority.ca) };
}

async function planeFor(authority: Certificates, node: string): Promise<ControlPlane> {
  const tls = { ...(await authority.sign('DNS:envoy-gateway')), ca: authority.ca };
  return controlPlane(await controlPlaneProgram(), tls, node);
}

/** The same addresses with other port numbers: hosts stay, as the tests run beside other services. */
function numbersOf(env: Deployment['env'], ports: Readonly<Record<string, number>>): Record<string, string> {
  const set = Object.entries(ports).filter(([name]) => env[name] !== undefined);
  return Object.fromEntries(set.map(([name, port]) => [name, (env[name] ?? '').replace(/\d+$/, String(port))]));
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
