import type { RedisProbe } from '../../store/redis/probe.ts';
import type { ClusterTarget, HostPort, SingleTarget } from '../../store/redis/target.ts';
import { type Range, rangesOf } from '../../store/redis/topology.ts';
import { within } from '../../within.ts';
import { type Finding, fail, ok } from '../finding.ts';
import { info } from './info.ts';
import type { Place } from './place.ts';
import { reach } from './reach.ts';
import { text } from './sentinels.ts';

/** What the nodes say of their cluster. */
export interface Known {
  readonly findings: readonly Finding[];
  /** Those that have slots; none when nobody could be asked. */
  readonly masters: readonly HostPort[];
}

const ASK_MS = 1_000;
const MOST_NODES = 16;

/** Asks a node of the list that answers who the others are. */
export async function cluster(place: Place, target: ClusterTarget): Promise<Known> {
  const { room, label } = place;
  const dialled = await Promise.all(
    target.nodes.slice(0, MOST_NODES).map(async (address) => {
      const who = `the node of ${label} at ${text(address)}`;
      return { who, address, ...(await reach(place, nodeTarget(target, address), who, 'given')) };
    }),
  );
  const away = dialled.filter(({ probe }) => probe === null).map(({ finding }) => finding);
  const there = dialled.find(({ probe }) => probe !== null);
  if (there?.probe == null) return { findings: away, masters: [] };
  const { who, address, probe } = there;
  try {
    // One that is away is what the others are there for.
    const mild = away.map((finding) => ({ ...finding, mark: 'warn' as const }));
    return await asked(room, who, probe, address, mild);
  } catch (error) {
    const says = `${who} does not say who the others are: ${(error as Error).message}`;
    const todo = `see redis-cli cluster info; if it is no cluster, set ${place.names.type}=single`;
    return { findings: [...away, fail(`${room}.cluster`, says, todo)], masters: [] };
  } finally {
    for (const it of dialled) it.probe?.close();
  }
}

async function asked(
  room: string,
  who: string,
  probe: RedisProbe,
  from: HostPort,
  away: readonly Finding[],
): Promise<Known> {
  const [state, slots] = await within(
    ASK_MS,
    Promise.all([probe.ask('cluster', 'info'), probe.ask('cluster', 'slots')]),
  );
  const { cluster_state: condition, cluster_slots_assigned: assigned } = info(String(state));
  const masters = mastersIn(rangesOf(slots, from.host));
  const says = `${who} knows ${masters.length} masters with ${assigned} of 16384 slots, state ${condition}`;
  const todo = 'see redis-cli --cluster check: until all slots have a master, calls fail with CLUSTERDOWN';
  const finding = condition === 'ok' ? ok(`${room}.cluster`, says) : fail(`${room}.cluster`, says, todo);
  return { findings: [...away, finding], masters };
}

export function nodeTarget(target: ClusterTarget, address: HostPort): SingleTarget {
  const { username, password, authFile, tls } = target;
  return { type: 'single', address, username, password, authFile, db: 0, tls };
}

function mastersIn(ranges: readonly Range[]): readonly HostPort[] {
  return [...new Map(ranges.map(({ master }) => [text(master), master])).values()];
}
