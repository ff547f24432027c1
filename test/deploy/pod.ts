import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../house/tree.ts';
import { type Files, mounted } from '../support/config-map.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { containerOf, only, type Resource } from './chart.ts';

const READY_MS = 30_000;
const PLACE = '/etc/weir/';

/** What a Deployment starts, as far as that can be had without a cluster: its environment and its mounts, as they are. */
export interface Pod {
  readonly ports: Readonly<Record<'http' | 'grpc' | 'admin', number>>;
  readonly process: OwnProcess;
  /** What is mounted there, all of it anew by one rename. */
  swap(volume: string, files: Files): Promise<void>;
  stop(): Promise<void>;
}

export interface PodOptions {
  /** ConfigMaps come from the resources themselves. */
  readonly secrets?: Readonly<Record<string, Files>>;
  /** In place of what the Deployment sets: addresses of this machine. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts weir as `/bin/ratelimit` does, with the environment of the Deployment, and resolves when its readiness probe
 * answers 200. Only ports, addresses and the folder below which things are mounted are others.
 */
export async function pod(resources: readonly Resource[], { secrets = {}, env }: PodOptions): Promise<Pod> {
  const deployment = only(resources, 'Deployment');
  const container = containerOf(deployment);
  const root = await mkdtemp(join(tmpdir(), 'weir-pod-'));
  const here = (path: string) => path.replace(PLACE, `${root}/`);
  const place = (volume: string) => here(container.volumeMounts.find(({ name }) => name === volume)?.mountPath ?? '');
  async function swap(volume: string, files: Files): Promise<void> {
    await mkdir(place(volume), { recursive: true });
    await mounted(place(volume), files);
  }
  for (const volume of deployment.spec.template.spec.volumes) {
    const files = volume.configMap
      ? only(resources, 'ConfigMap', volume.configMap.name).data
      : secrets[volume.secret.secretName];
    if (files === undefined) throw new Error(`no Secret ${volume.secret.secretName}`);
    await swap(volume.name, files);
  }
  const ports = { http: await freePort(), grpc: await freePort(), admin: await freePort() };
  const set = Object.fromEntries(
    container.env.map(({ name, value, valueFrom }) => [name, value ?? secretValue(valueFrom, secrets)]),
  );
  const process_ = await ownProcess({
    name: 'pod',
    command: process.execPath,
    args: ['dist/main.js', 'ratelimit'],
    cwd: ROOT,
    env: {
      ...Object.fromEntries(Object.entries(set).map(([name, value]) => [name, here(value)])),
      ...{ HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1' },
      ...{ PORT: String(ports.http), GRPC_PORT: String(ports.grpc), DEBUG_PORT: String(ports.admin) },
      // A busy machine must not make errors.
      REDIS_COMMAND_TIMEOUT: '10s',
      ...env,
    },
  });
  async function stop(): Promise<void> {
    await process_.stop();
    await rm(root, { recursive: true, force: true });
  }
  try {
    const { path } = container.readinessProbe.httpGet;
    await eventually(
      `GET ${path} to answer 200`,
      async () => {
        if (!process_.running()) return 'ended';
        return (await fetch(`http://127.0.0.1:${ports.http}${path}`)).status === 200;
      },
      READY_MS,
    );
    if (!process_.running()) throw new Error('it ended');
  } catch (error) {
    await stop();
    throw new Error(`${(error as Error).message}\n${process_.output()}`);
  }
  return { ports, process: process_, swap, stop };
}

type SecretRef = { readonly secretKeyRef?: { readonly name: string; readonly key: string } } | undefined;

function secretValue(from: SecretRef, secrets: Readonly<Record<string, Files>>): string {
  const { name = '', key = '' } = from?.secretKeyRef ?? {};
  return secrets[name]?.[key] ?? '';
}
