import { spawnSync } from 'node:child_process';
import { Cluster } from 'ioredis';
import { eventually } from './eventually.ts';
import { type OwnRedis, type OwnRedisOptions, ownRedis, tlsOfClient } from './redis.ts';

/** 3 masters and 3 replicas of the tests. */
export interface OwnCluster {
  /** `127.0.0.1:port,...`, as REDIS_URL has it. */
  readonly url: string;
  readonly nodes: readonly OwnRedis[];
  /** For seeding and looking. */
  readonly client: Cluster;
  /** Asks a node that lives. */
  masterOf(slot: number): Promise<OwnRedis>;
  /** All nodes that live agree that every slot is served, and replicas are in step. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

const NODES = 6;

export async function ownCluster(wanted: Omit<OwnRedisOptions, 'args' | 'port'> = {}): Promise<OwnCluster> {
  const { password, tls } = wanted;
  const args = [
    '--cluster-enabled',
    'yes',
    '--cluster-config-file',
    'nodes.conf',
    '--cluster-node-timeout',
    '1000',
    // A replica that has never been in step is not elected.
    ...['--repl-diskless-sync-delay', '0'],
    ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
    ...(tls === undefined ? [] : ['--tls-cluster', 'yes']),
  ];
  const nodes = await Promise.all(Array.from({ length: NODES }, () => ownRedis({ ...wanted, args })));
  const addresses = nodes.map(({ url }) => url);
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'];
  if (password !== undefined) create.unshift('-a', password);
  if (tls !== undefined) create.unshift('--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key);
  const made = spawnSync('redis-cli', create, { encoding: 'utf8', timeout: 20_000 });
  if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout}${made.stderr}`);
  const alive = (): OwnRedis[] => nodes.filter(({ client }) => client.status === 'ready');

  async function whole(): Promise<void> {
    await eventually('every node to agree that the cluster is whole', async () => {
      for (const { client } of alive()) {
        if (!String(await client.cluster('INFO')).includes('cluster_state:ok')) return false;
        if (String(await client.info('replication')).includes('master_link_status:down')) return false;
      }
      return true;
    });
  }

  await whole();
  const client = new Cluster(
    nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    {
      redisOptions: {
        disableClientInfo: true,
        ...(tls === undefined ? {} : { tls: tlsOfClient(tls) }),
        ...(password === undefined ? {} : { password }),
      },
    },
  );
  client.on('error', () => {});
  return {
    url: addresses.join(),
    nodes,
    client,
    whole,
    async masterOf(slot) {
      const ranges = (await alive()[0]!.client.cluster('SLOTS')) as unknown as [number, number, [string, number]][];
      const [, , [, port]] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
      return nodes.find((node) => node.port === port)!;
    },
    async stop() {
      client.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}
