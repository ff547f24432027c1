/** What each kind of limit keeps: its keys in Redis with their bytes and time to live, and its bytes in the memory store. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Redis } from 'ioredis';
import type { Hit } from '../../src/core/decision.ts';
import { match } from '../../src/core/match.ts';
import { plan } from '../../src/core/plan.ts';
import type { Micros } from '../../src/core/request.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { redisStore } from '../../src/store/redis/redis-store.ts';
import { MATCHING } from '../core/asking.ts';
import { eventually } from '../support/eventually.ts';
import { compiled, DOMAIN, KINDS, type Kind, requestOf } from './kinds.ts';

export interface KeySize {
  /** As Redis has it. */
  readonly key: string;
  /** MEMORY USAGE. */
  readonly bytes: number;
  readonly ttlSeconds: number;
}

export interface KindSize {
  readonly name: string;
  readonly keys: readonly KeySize[];
  /** In the memory store, of all counters of one descriptor. */
  readonly memoryBytes: number;
}

const USERS = 50_000;
/** As much as a full bucket of the bench, so that its key lives as long as it ever does. */
const HITS = 2_000_000_000;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Every key of the server is deleted. */
export async function sizes(client: Redis): Promise<readonly KindSize[]> {
  const { host, port } = client.options;
  const store = redisStore({ url: `${host}:${port}`, expirationJitterMaxSeconds: 0 });
  await store.start();
  try {
    await eventually('the store is connected', () => store.connected);
    const found: KindSize[] = [];
    for (const kind of KINDS) {
      await client.flushall();
      for (const { hits, nowUs } of charges(kind, 'u0000001')) await store.take(hits, 'always', nowUs);
      found.push({ name: kind.name, keys: await keysOf(client), memoryBytes: await bytesInMemory(kind) });
    }
    return found;
  } finally {
    await store.stop();
  }
}

async function keysOf(client: Redis): Promise<readonly KeySize[]> {
  const keys = (await client.keys('*')).sort();
  return Promise.all(
    keys.map(async (key) => ({
      key,
      bytes: Number(await client.memory('USAGE', key)),
      ttlSeconds: await client.ttl(key),
    })),
  );
}

/** One user's share of the heap and the arrays of a store that is full of users. */
async function bytesInMemory(kind: Kind): Promise<number> {
  const counters = charges(kind, 'u').reduce((sum, { hits }) => sum + hits.length, 0);
  const before = await bytesKept();
  const store = memoryStore({ maxKeys: counters * USERS });
  for (let i = 0; i < USERS; i++) {
    for (const { hits, nowUs } of charges(kind, `u${String(i).padStart(7, '0')}`)) {
      await store.take(hits, 'always', nowUs);
    }
  }
  const bytes = (await bytesKept()) - before;
  if (store.size === 0) throw new Error(`${kind.name} kept nothing`);
  return Math.round(bytes / USERS);
}

async function bytesKept(): Promise<number> {
  // The memory of arrays goes only after those who held them, and what a promise held not within its turn.
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    collectGarbage();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What makes all counters of a user: a sliding window is met in two of its windows. */
function charges(kind: Kind, user: string): readonly { readonly hits: readonly Hit[]; readonly nowUs: Micros }[] {
  const nowUs = Date.now() * 1_000;
  const domain = domainOf(kind);
  const asked = requestOf({ ...kind, name: 'user' }, user, HITS);
  const at = (us: Micros) => ({ hits: plan(asked, match(domain, asked, MATCHING), us, PLANNING), nowUs: us });
  const now = at(nowUs);
  const slides = now.hits.find(({ previousKey }) => previousKey !== '');
  return slides === undefined ? [now] : [at(nowUs - slides.windowSeconds * 1_000_000), now];
}

const PLANNING = { keyPrefix: '', quotaMode: false };
const domains = new Map<Kind, ReturnType<typeof compiled>>();

/** With one name for all, or the length of the names would be compared. */
function domainOf(kind: Kind) {
  let ruleset = domains.get(kind);
  if (ruleset === undefined) {
    ruleset = compiled(`domain: ${DOMAIN}\ndescriptors:\n  - key: user\n    ${kind.rule ?? ''}\n`);
    domains.set(kind, ruleset);
  }
  return ruleset.domains.get(DOMAIN);
}
