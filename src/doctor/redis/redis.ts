import { SETTINGS } from '../../settings/settings.ts';
import { type Login, loginInFile } from '../../store/redis/login.ts';
import {
  type HostPort,
  type RedisTarget,
  redactedUrl,
  redisTarget,
  type SentinelTarget,
} from '../../store/redis/target.ts';
import type { Finding } from '../finding.ts';
import { cluster, nodeTarget } from './cluster.ts';
import { node } from './node.ts';
import type { Place } from './place.ts';
import { wrong } from './reach.ts';
import { sentinels, text } from './sentinels.ts';
import type { Names } from './set-by.ts';

/** Every master of a cluster is a server to look at, up to so many. */
const MOST_MASTERS = 8;

/** Everything about one Redis of the settings. `domains` resolves to what the rules name. */
export async function redis(place: Place, domains: Promise<readonly string[]>): Promise<readonly Finding[]> {
  const { label, names, options } = place;
  let target: RedisTarget;
  try {
    target = withLogins(redisTarget(options), names);
  } catch (error) {
    if (error instanceof LoginError) return [wrong(error.message)];
    const settings = [names.url, ...(options.db === undefined ? [] : [SETTINGS.redisDb.env])];
    return [wrong(`${settings.join(' with ')}: ${(error as Error).message}`)];
  }
  switch (target.type) {
    case 'single': {
      const who = `${label} at ${redactedUrl(options.url)}`;
      return node({ place, target, hop: 'given', who, asked: 'single', domains, counts: true });
    }
    case 'sentinel': {
      const { findings, master } = await sentinels(place, target);
      if (master === null) return findings;
      const who = `${label} at ${text(master)}`;
      const single = masterTarget(target, master);
      const hop = 'named by sentinels';
      return [
        ...findings,
        ...(await node({ place, target: single, hop, who, asked: 'single', domains, counts: true })),
      ];
    }
    case 'cluster': {
      const { findings, masters } = await cluster(place, target);
      const found = masters.slice(0, MOST_MASTERS).map((address, i) => {
        const who = `${label} at ${text(address)}`;
        const single = nodeTarget(target, address);
        const hop = 'named by the cluster';
        return node({ place, target: single, hop, who, asked: 'cluster', domains, counts: i === 0 });
      });
      return [...findings, ...(await Promise.all(found)).flat()];
    }
  }
}

function masterTarget({ username, password, authFile, db, tls }: SentinelTarget, address: HostPort) {
  return { type: 'single' as const, address, username, password, authFile, db, tls };
}

class LoginError extends Error {
  override readonly name = 'LoginError';
}

/** Logins in files are read once, for sentences have the user in them. Throws LoginError when one can't be read. */
function withLogins(target: RedisTarget, { authFile, sentinelAuthFile }: Names): RedisTarget {
  const login = readLogin(target.authFile, authFile);
  if (target.type !== 'sentinel') return { ...target, ...login, authFile: undefined };
  const sentinel = readLogin(target.sentinelAuthFile, sentinelAuthFile) ?? target.sentinel;
  return { ...target, ...login, authFile: undefined, sentinel, sentinelAuthFile: undefined };
}

function readLogin(path: string | undefined, setting: string): Login | null {
  if (path === undefined) return null;
  try {
    return loginInFile(path)();
  } catch (error) {
    throw new LoginError(`${setting}: ${(error as Error).message}`);
  }
}
