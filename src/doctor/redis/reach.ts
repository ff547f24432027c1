import { connect } from 'node:net';
import { type RedisClientOptions, redisClient } from '../../store/redis/connect.ts';
import { type ProbeError, type RedisProbe, redisProbe } from '../../store/redis/probe.ts';
import type { HostPort, SingleTarget } from '../../store/redis/target.ts';
import { type Finding, fail, ok } from '../finding.ts';
import { unreachable } from './failure.ts';
import { ms } from './latency.ts';
import type { Place } from './place.ts';
import { aclLine } from './rights.ts';
import { type Hop, setBy } from './set-by.ts';

/** However patient the service is. */
const MOST_DIAL_MS = 2_500;
const STALL_MS = 1_000;
const BARE_MS = 1_000;
const GREETING_MS = 200;
const MOST_GREETING = 200;

export type Reached =
  | { readonly probe: RedisProbe; readonly finding: Finding }
  | { readonly probe: null; readonly finding: Finding };

/** Dials as the service does, once, and puts what goes wrong into words. */
export async function reach(place: Place, target: SingleTarget, who: string, hop: Hop): Promise<Reached> {
  const { room, options } = place;
  const connectTimeoutMs = Math.min(options.connectTimeoutMs ?? MOST_DIAL_MS, MOST_DIAL_MS);
  const dial: RedisClientOptions = { ...options, connectTimeoutMs, stallTimeoutMs: STALL_MS, random: Math.random };
  let client: ReturnType<typeof redisClient>;
  try {
    client = redisClient(target, dial);
  } catch (error) {
    return { probe: null, finding: wrong((error as Error).message) };
  }
  try {
    const probe = await redisProbe(client);
    const says = `${who} answers: connected and logged in within ${ms(probe.tookMs)}`;
    return { probe, finding: ok(`${room}.reached`, says) };
  } catch (error) {
    const { username, db } = target;
    const dialled = {
      room,
      who,
      target,
      tls: target.tls || options.tls === true,
      by: setBy(place, hop, target),
      aclLine: aclLine({ username, db, prefix: place.prefix, cluster: false }, { keys: true }),
      connectTimeoutMs,
      bare: await bareConnection(target.address),
    };
    return { probe: null, finding: unreachable(error as ProbeError, dialled) };
  }
}

/** Settings that only Redis's own options can judge; the service would not start with them. */
export function wrong(message: string): Finding {
  return fail('settings.wrong', message, 'weir serve would not start; mend it, see weir --help');
}

/** How far a connection without TLS and login gets, and what is said there unasked: the reason of a refusal. */
export interface Bare {
  readonly far: 'no name' | 'no answer' | 'open';
  readonly greeting: string;
}

function bareConnection(address: HostPort | { readonly path: string }): Promise<Bare> {
  return new Promise((resolve) => {
    let far: Bare['far'] = 'no name';
    const socket = connect(address);
    const done = (greeting = ''): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ far, greeting });
    };
    let timer = setTimeout(done, BARE_MS);
    const looked = (): void => {
      if (far === 'no name') far = 'no answer';
    };
    socket.once('connectionAttempt', looked);
    socket.once('connect', () => {
      far = 'open';
      clearTimeout(timer);
      timer = setTimeout(done, GREETING_MS);
    });
    socket.once('data', (bytes) => done(bytes.toString('latin1', 0, MOST_GREETING)));
    for (const event of ['error', 'close']) socket.once(event, () => done());
  });
}
