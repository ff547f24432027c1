import type { RedisType } from '../../store/redis/target.ts';
import { type Finding, fail, ok, warn } from '../finding.ts';
import type { Info } from './info.ts';
import type { Names } from './set-by.ts';

const LEAST_VERSION = [6, 2] as const;

/** Which program, and whether it knows all commands that weir uses. */
export function version(room: string, who: string, found: Info): Finding {
  const valkey = found.valkey_version;
  const name = valkey === undefined ? `Redis ${found.redis_version ?? 'of an unknown version'}` : `Valkey ${valkey}`;
  if (valkey !== undefined || isNewEnough(found.redis_version)) return ok(`${room}.version`, `${who} is ${name}`);
  const todo = `upgrade to Redis ${LEAST_VERSION.join('.')} or newer, or to Valkey`;
  return fail(`${room}.version`, `${who} is ${name}, which is too old`, todo);
}

function isNewEnough(told = ''): boolean {
  const [major = 0, minor = 0] = told.split('.').map(Number);
  return major > LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor >= LEAST_VERSION[1]);
}

/** Whether it is the kind of server that the settings take it for. */
export function kind(
  room: string,
  who: string,
  found: Info,
  asked: RedisType,
  { type, url }: Names,
): readonly Finding[] {
  const name = `${room}.kind`;
  if (found.redis_mode === 'sentinel') {
    const todo = `set ${type}=sentinel and ${url}=<master name>,host:port,host:port`;
    return [fail(name, `${who} is a Sentinel, which keeps no counters`, todo)];
  }
  const isCluster = found.cluster_enabled === '1' || found.redis_mode === 'cluster';
  if (isCluster && asked !== 'cluster') {
    const says = `${who} is a node of a Redis Cluster, asked as if it were alone: it answers MOVED and CROSSSLOT`;
    return [fail(name, says, `set ${type}=cluster and ${url}=host:port,host:port`)];
  }
  if (!isCluster && asked === 'cluster') {
    const todo = `set ${type}=single, or name nodes of the cluster in ${url}`;
    return [fail(name, `${who} is no node of a Redis Cluster`, todo)];
  }
  return [];
}

/** Whether it takes writes. `toMaster` is what to do when it is a replica. */
export function role(room: string, who: string, found: Info, toMaster: string): Finding {
  const name = `${room}.role`;
  if (found.loading === '1') {
    return fail(name, `${who} is loading its data and answers LOADING`, 'wait until it is done');
  }
  if (found.role === 'slave' || found.role === 'replica') {
    const says = `${who} is a replica of ${found.master_host}:${found.master_port}: writes will fail with READONLY`;
    return fail(name, says, toMaster);
  }
  const replicas = Number(found.connected_slaves ?? 0);
  return ok(name, `${who} is a master with ${replicas} replica${replicas === 1 ? '' : 's'}`);
}

/** Whether counters may go before their time. */
export function eviction(room: string, who: string, found: Info): readonly Finding[] {
  const { maxmemory_policy: policy, maxmemory, used_memory: used } = found;
  if (policy === undefined || maxmemory === undefined) return [];
  const name = `${room}.eviction`;
  const most = Number(maxmemory);
  const bound = most === 0 ? 'no maxmemory' : `maxmemory ${mebibytes(most)}`;
  if (policy !== 'noeviction') {
    const then = most === 0 ? 'once maxmemory is set' : 'when memory is full';
    const says = `${who} has maxmemory-policy ${policy} and ${bound}: ${then}, counters may be lost before their window ends`;
    return [warn(name, says, 'set maxmemory-policy noeviction')];
  }
  const full = most === 0 ? 0 : Number(used) / most;
  if (full >= NEARLY_FULL) {
    const says = `${who} uses ${Math.round(full * 100)} % of its ${bound}; when it is full, writes fail with OOM`;
    return [warn(name, says, 'raise maxmemory, or give weir a Redis of its own')];
  }
  return [ok(name, `${who} evicts nothing (noeviction) and has ${bound}`)];
}

const NEARLY_FULL = 0.9;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** What a restart would forget. `save` is '' when there are no snapshots, null when nobody may know. */
export function persistence(room: string, who: string, found: Info, save: string | null): Finding {
  const name = `${room}.persistence`;
  const appends = found.aof_enabled === '1';
  const broken = appends ? found.aof_last_write_status === 'err' : found.rdb_last_bgsave_status === 'err';
  if (broken) {
    const says = `${who} could not save the last time, and may refuse writes with MISCONF`;
    return warn(name, says, 'see the log of Redis: a full disk, or missing rights');
  }
  if (appends) return ok(name, `${who} has appendonly on: a restart forgets about the last second`);
  if (save === null) return ok(name, `${who} has appendonly off; whether it makes snapshots is not told`);
  if (save === '') return ok(name, `${who} has appendonly off and no snapshots: a restart forgets all counters`);
  return ok(name, `${who} has appendonly off and snapshots (save ${save}): a restart forgets what came after the last`);
}
