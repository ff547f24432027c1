import { ProbeError, type RedisProbe } from '../../store/redis/probe.ts';
import type { HostPort, SentinelTarget, SingleTarget } from '../../store/redis/target.ts';
import { within } from '../../within.ts';
import { type Finding, fail, ok, warn } from '../finding.ts';
import type { Place } from './place.ts';
import { reach } from './reach.ts';

/** What the sentinels say, and whom they name. */
export interface Named {
  readonly findings: readonly Finding[];
  /** null when nobody knows a master. */
  readonly master: HostPort | null;
}

interface Answer {
  readonly finding: Finding;
  /** Whether it was there to be asked. */
  readonly there: boolean;
  readonly master: HostPort | null;
}

const ASK_MS = 1_000;
const MOST_SENTINELS = 16;

/** Asks every sentinel of the list for the master. */
export async function sentinels(place: Place, target: SentinelTarget): Promise<Named> {
  const answers = await Promise.all(
    target.sentinels.slice(0, MOST_SENTINELS).map((address) => one(place, target, address)),
  );
  const findings = answers.map(({ finding }) => finding);
  const masters = [...new Map(answers.flatMap(({ master }) => (master === null ? [] : [[text(master), master]])))];
  const { room, label, names } = place;
  const master = masters[0]?.[1] ?? null;
  // What nobody could be asked, nobody has denied.
  if (master === null && !answers.some(({ there }) => there)) return { findings, master };
  if (master === null) {
    const says = `no sentinel of ${label} names a master ${target.master}`;
    const todo = `mend ${names.url}: the name, then the sentinels`;
    return { findings: [...findings, fail(`${room}.master`, says, todo)], master };
  }
  // One that is away is what the others are there for.
  const mild = findings.map((finding) => (finding.mark === 'fail' ? { ...finding, mark: 'warn' as const } : finding));
  if (masters.length === 1) return { findings: mild, master };
  const says = `the sentinels of ${label} name different masters: ${masters.map(([name]) => name).join(', ')}`;
  const todo = 'a failover may be under way; if it stays so, see SENTINEL MASTER on each';
  return { findings: [...mild, warn(`${room}.master`, says, todo)], master };
}

async function one(place: Place, target: SentinelTarget, address: HostPort): Promise<Answer> {
  const { room, label, names } = place;
  const who = `the sentinel of ${label} at ${text(address)}`;
  const single: SingleTarget = {
    ...target.sentinel,
    type: 'single',
    address,
    authFile: target.sentinelAuthFile,
    db: 0,
    tls: target.tls,
  };
  const { probe, finding } = await reach(place, single, who, 'sentinel');
  if (probe === null) return { finding, there: false, master: null };
  try {
    const master = await masterOf(probe, target.master);
    const told = `${room}.sentinel`;
    if (master !== null) {
      const says = `${who} names ${text(master)} as the master ${target.master}`;
      return { finding: ok(told, says), there: true, master };
    }
    const says = `${who} knows no master ${target.master}`;
    const todo = `mend the name at the beginning of ${names.url}`;
    return { finding: fail(told, says, todo), there: true, master };
  } catch (error) {
    const says = `${who} does not say who the master is: ${(error as Error).message}`;
    const todo = 'see whether it is a Sentinel: redis-cli -p PORT info sentinel';
    return { finding: fail(`${room}.sentinel`, says, todo), there: true, master: null };
  } finally {
    probe.close();
  }
}

async function masterOf(probe: RedisProbe, name: string): Promise<HostPort | null> {
  const reply = await within(ASK_MS, probe.ask('sentinel', 'get-master-addr-by-name', name));
  if (reply === null) return null;
  if (!Array.isArray(reply) || reply.length !== 2) throw new ProbeError('an answer that is no address');
  return { host: String(reply[0]), port: Number(reply[1]) };
}

export function text({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
