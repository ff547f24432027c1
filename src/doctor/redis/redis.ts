import { loginInFile } from '../../store/redis/login.ts';
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

/** Every master of a cluster is a server to look at, up to so many. */
const MOST_MASTERS = 8;

/** Everything about one Redis of the settings. `domains` resolves to what the rules name. */
export async function redis(place: Place, domains: Promise<readonly string[]>): Promise<readonly Finding[]> {
  let target: RedisTarget;
  try {
    target = withLogin(redisTarget(place.options));
  } catch (error) {
    return [wrong((error as Error).message)];
  }
  const { label } = place;
  switch (target.type) {
    case 'single': {
      const who = `${label} at ${redactedUrl(place.options.url)}`;
      return node({ place, target, who, asked: 'single', domains, counts: true });
    }
    case 'sentinel': {
      const { findings, master } = await sentinels(place, target);
      if (master === null) return findings;
      const who = `${label} at ${text(master)}`;
      const single = masterTarget(target, master);
      return [...findings, ...(await node({ place, target: single, who, asked: 'single', domains, counts: true }))];
    }
    case 'cluster': {
      const { findings, masters } = await cluster(place, target);
      const found = masters.slice(0, MOST_MASTERS).map((address, i) => {
        const who = `${label} at ${text(address)}`;
        return node({ place, target: nodeTarget(target, address), who, asked: 'cluster', domains, counts: i === 0 });
      });
      return [...findings, ...(await Promise.all(found)).flat()];
    }
  }
}

function masterTarget({ username, password, authFile, db, tls }: SentinelTarget, address: HostPort) {
  return { type: 'single' as const, address, username, password, authFile, db, tls };
}

/** A login in a file is read once, for sentences have the user in them. Throws when it can't be read. */
function withLogin(target: RedisTarget): RedisTarget {
  if (target.authFile === undefined) return target;
  return { ...target, ...loginInFile(target.authFile)(), authFile: undefined };
}
