import { randomUUID } from 'node:crypto';
import { ProbeError, type RedisProbe } from '../../store/redis/probe.ts';
import type { RedisType, SingleTarget } from '../../store/redis/target.ts';
import { TooLate, within } from '../../within.ts';
import { type Finding, fail, warn } from '../finding.ts';
import { clockOffset } from './clock.ts';
import { type Info, info } from './info.ts';
import { latency } from './latency.ts';
import type { Place } from './place.ts';
import { reach } from './reach.ts';
import { type Ask, rights } from './rights.ts';
import { eviction, kind, persistence, role, version } from './server.ts';
import { type Hop, toMaster } from './set-by.ts';
import { trial } from './trial.ts';

/** One server that shall keep counters. */
export interface Node {
  readonly place: Place;
  readonly target: SingleTarget;
  readonly hop: Hop;
  /** `Redis at 127.0.0.1:6379` */
  readonly who: string;
  /** What the settings take it for. */
  readonly asked: RedisType;
  /** What the rules name. */
  readonly domains: Promise<readonly string[]>;
  /** Whether to count there at last; of a cluster, one node is enough. */
  readonly counts: boolean;
}

interface Connected extends Omit<Node, 'domains'> {
  readonly domains: readonly string[];
  readonly ask: Ask;
  /** null when Redis refuses it; what was refused is remembered. */
  readonly told: Ask;
  readonly refused: string[];
  readonly add: (...found: readonly Finding[]) => void;
}

const ASK_MS = 1_000;
const PINGS = 20;
const MOST_PINGS_MS = 1_500;
/** Of so many domains a key is tried. */
const MOST_DOMAINS = 20;

/** Reaches it, asks what it is, and counts there. */
export async function node(it: Node): Promise<readonly Finding[]> {
  const { place, who } = it;
  const { probe, finding } = await reach(place, it.target, who, it.hop);
  if (probe === null) return [finding];
  const found: Finding[] = [finding];
  try {
    // Reading the rules keeps this process busy, which would look like a slow Redis.
    await questions(connected({ ...it, domains: await it.domains }, probe, (...more) => found.push(...more)));
  } catch (error) {
    if (!(error instanceof ProbeError || error instanceof TooLate)) throw error;
    const says = `${who} stopped answering in the middle: ${error.message}`;
    found.push(fail(`${place.room}.silent`, says, 'see the log of Redis, and what stands between'));
  } finally {
    probe.close();
  }
  return found;
}

function connected(
  it: Omit<Node, 'domains'> & { readonly domains: readonly string[] },
  probe: RedisProbe,
  add: Connected['add'],
): Connected {
  const refused: string[] = [];
  const ask: Ask = (command, ...args) => within(ASK_MS, probe.ask(command, ...args));
  const told: Ask = async (command, ...args) => {
    try {
      return await ask(command, ...args);
    } catch (error) {
      if (!(error instanceof ProbeError && error.refusal)) throw error;
      refused.push([command, ...args].join(' ').toUpperCase());
      return null;
    }
  };
  return { ...it, ask, told, refused, add };
}

async function questions(it: Connected): Promise<void> {
  const { place, who, told, add } = it;
  const { room, options } = place;
  const [text, save] = await Promise.all([told('info'), told('config', 'get', 'save')]);
  const facts = typeof text === 'string' ? info(text) : null;
  if (facts !== null) add(...ofServer(it, facts));
  if (facts?.redis_mode === 'sentinel') return;
  if (facts !== null) add(persistence(room, who, facts, settingIn(save)));
  const beforeMs = Date.now();
  const time = await told('time');
  if (Array.isArray(time)) {
    const [seconds, microseconds] = time.map(Number) as [number, number];
    add(clockOffset(room, who, { seconds, microseconds, beforeMs, afterMs: Date.now() }));
  }
  add(latency(room, who, await pings(it), options.commandTimeoutMs ?? ASK_MS));
  if (it.refused.length > 0) add(unseen(it));
  await counting(it, facts);
}

function ofServer({ place: { room, names }, who, asked, hop }: Connected, facts: Info): readonly Finding[] {
  const ofKind = kind(room, who, facts, asked, names);
  if (facts.redis_mode === 'sentinel') return ofKind;
  return [
    version(room, who, facts),
    ...ofKind,
    role(room, who, facts, toMaster(names, hop)),
    ...eviction(room, who, facts),
  ];
}

/** CONFIG GET answers name and value; null when it was refused. */
function settingIn(reply: unknown): string | null {
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : null;
}

async function pings(it: Connected): Promise<readonly number[]> {
  const tripsMs: number[] = [];
  await ping(it);
  const end = performance.now() + MOST_PINGS_MS;
  while (tripsMs.length < PINGS && performance.now() < end) {
    const startedAt = performance.now();
    await ping(it);
    tripsMs.push(performance.now() - startedAt);
  }
  return tripsMs;
}

/** A user who may not ping gets an answer all the same, and it takes as long. */
async function ping({ ask }: Connected): Promise<void> {
  await ask('ping').catch((error: unknown) => {
    if (!(error instanceof ProbeError && error.refusal)) throw error;
  });
}

function unseen({ place: { room }, who, refused }: Connected): Finding {
  const says = `${who} does not let this user run ${refused.join(', ')}, so not all was looked at; weir itself counts without`;
  return warn(`${room}.unseen`, says, 'run weir doctor once as a user who may, or look with redis-cli');
}

async function counting(it: Connected, facts: Info | null): Promise<void> {
  const { place, target, who, ask, add } = it;
  const { room, prefix } = place;
  const own = randomUUID();
  const keys = (it.domains.length === 0 ? ['weir'] : it.domains.slice(0, MOST_DOMAINS)).map(
    (domain) => `${prefix}${domain}_weir_doctor_${own}_0`,
  );
  const account = { username: target.username, prefix, db: target.db, cluster: it.asked === 'cluster' };
  const allowed = await rights(room, who, account, keys[0]!, ask);
  add(allowed);
  const hopeless = allowed.mark === 'fail' || facts?.role === 'slave' || facts?.loading === '1';
  if (hopeless || !it.counts) return;
  try {
    add(await trial(place, who, keys, toMaster(place.names, it.hop)));
  } finally {
    await ask('del', keys[0]!).catch(() => {});
  }
}
