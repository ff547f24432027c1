import type { Hit } from '../../core/decision.ts';
import { limit } from '../../core/limit.ts';
import { StoreError } from '../../core/ports.ts';
import { type RedisStore, redisStore } from '../../store/redis/redis-store.ts';
import { within } from '../../within.ts';
import { type Finding, fail, ok } from '../finding.ts';
import type { Place } from './place.ts';
import { wrong } from './reach.ts';
import type { Names } from './set-by.ts';

const CONNECT_MS = 1_500;
const COMMAND_MS = 1_000;
/** A key that can't be deleted is gone after so long. */
const LIFE_SECONDS = 2;

/**
 * Counts as the service does: a look at `keys[0]` and every further key, then one real hit on `keys[0]`. `toMaster` is
 * what to do about a replica.
 */
export async function trial(place: Place, who: string, keys: readonly string[], toMaster: string): Promise<Finding> {
  const { room, names, options } = place;
  const name = `${room}.script`;
  let connected = (): void => {};
  const isConnected = new Promise<void>((resolve) => {
    connected = resolve;
  });
  let store: RedisStore;
  try {
    store = redisStore({
      ...options,
      commandTimeoutMs: COMMAND_MS,
      expirationJitterMaxSeconds: 0,
      onConnected: connected,
    });
  } catch (error) {
    return wrong((error as Error).message);
  }
  try {
    await store.start();
    await within(CONNECT_MS, isConnected);
    for (const key of keys) await take(store, key, 0);
    const used = await take(store, keys[0]!, 1);
    if (used === 1) return ok(name, `${who} runs the counting script`);
    return fail(name, `${who} counted ${used} after one hit on a new key`, 'see whether something else writes to it');
  } catch (error) {
    return failed(name, who, error, { ...WHAT_TO_DO, ...whatToSet(names, toMaster) });
  } finally {
    await store.stop();
  }
}

async function take(store: RedisStore, key: string, cost: number): Promise<number | null> {
  const nowUs = Date.now() * 1_000;
  const hit: Hit = {
    of: 0,
    key,
    previousKey: '',
    limit: limit({ requestsPerUnit: 1, unit: 'second' }),
    cost,
    windowSeconds: LIFE_SECONDS,
    windowEndUs: nowUs + LIFE_SECONDS * 1_000_000,
    shadow: false,
    refuses: 'alone',
    onStoreFailure: null,
  };
  const [reading] = await store.take([hit], 'always', nowUs);
  return reading?.kind === 'counted' ? reading.used : null;
}

function failed(name: string, who: string, error: unknown, whatToDo: Readonly<Record<string, string>>): Finding {
  const told = error instanceof StoreError && error.cause instanceof Error ? error.cause.message : '';
  const word = /^\w*/.exec(told)?.[0] ?? '';
  const message = error instanceof Error ? error.message : String(error);
  // What is not known by its first word may hold a key, but no password: the login is over.
  const says = `${who} does not run the counting script: ${message}${told === '' ? '' : ` (${told.slice(0, 200)})`}`;
  return fail(name, says, whatToDo[word] ?? 'see the log of Redis');
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  OOM: 'raise maxmemory, or give weir a Redis of its own',
  MISCONF: 'let Redis save again (disk, rights), or set stop-writes-on-bgsave-error no',
  BUSY: 'another script runs for too long: SCRIPT KILL',
  NOPERM: 'let the user use keys of every domain',
  CLUSTERDOWN: 'the cluster lacks slots or masters: redis-cli --cluster check',
};

function whatToSet({ type }: Names, toMaster: string): Readonly<Record<string, string>> {
  return { READONLY: toMaster, CROSSSLOT: `set ${type}=cluster`, MOVED: `set ${type}=cluster` };
}
