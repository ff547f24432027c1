import { countsRefused, stepOfUsed } from '../core/algorithm/algorithm.ts';
import type { Hit, Reading } from '../core/decision.ts';
import { isDenied, tellsOver, uncharged } from '../core/denial.ts';
import { type Fate, fatesOf, oversOf, type Together } from '../core/fate.ts';
import type { Caller, Store } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';

export interface AcrossStoresOptions {
  /** Who counts a hit: always the same store for the same key. */
  readonly route: (hit: Hit) => Store;
}

/**
 * One store made of several, which are asked in parallel.
 *
 * Hits of one store go to it as they are. Beyond that nothing is atomic: unless every hit is charged anyway, all stores
 * are first looked at, then charged, and what was charged is given back when a store refuses after all, because others
 * came in between. Until it is given back, one round trip, others may be refused too much; never is too much admitted.
 * When a store fails, the request fails and what the others charged is given back, as far as they can be reached.
 */
export function acrossStores({ route }: AcrossStoresOptions): Store {
  return {
    take(hits, charge, nowUs, caller) {
      const stores = hits.map(route);
      const [first] = stores;
      if (first === undefined) return Promise.resolve([]);
      if (stores.every((store) => store === first)) return first.take(hits, charge, nowUs, caller);
      const request = { hits, stores, nowUs, caller };
      return charge === 'always' ? takeAll(request) : takeTogether(request, charge);
    },
  };
}

interface Request {
  readonly hits: readonly Hit[];
  /** Of each hit. */
  readonly stores: readonly Store[];
  readonly nowUs: Micros;
  readonly caller: Caller | undefined;
}

/** Every store charges its hits. When one fails, the others give back. */
async function takeAll(
  request: Request,
  charge: 'always' | 'only_if_admitted' = 'always',
): Promise<readonly Reading[]> {
  const { hits, stores, nowUs, caller } = request;
  const readings: Reading[] = new Array(hits.length);
  let failure: { readonly error: unknown } | null = null;
  await Promise.all(
    [...places(stores)].map(async ([store, at]) => {
      const own = at.map((i) => hits[i] as Hit);
      try {
        const read = await store.take(own, charge, nowUs, caller);
        for (const [n, i] of at.entries()) readings[i] = read[n] as Reading;
      } catch (error) {
        failure ??= { error };
      }
    }),
  );
  if (failure === null) return readings;
  void giveBack(request, (i) => isCharged(readings[i]));
  throw (failure as { readonly error: unknown }).error;
}

/** Which hits each store counts, by index. */
function places(stores: readonly Store[]): ReadonlyMap<Store, readonly number[]> {
  const found = new Map<Store, number[]>();
  for (const [i, store] of stores.entries()) {
    const at = found.get(store);
    if (at === undefined) found.set(store, [i]);
    else at.push(i);
  }
  return found;
}

async function takeTogether(request: Request, charge: Together): Promise<readonly Reading[]> {
  const { hits } = request;
  const looks = await takeAll({ ...request, hits: hits.map((hit) => ({ ...hit, cost: 0 })) });
  const before = looks.map((look) => (look.kind === 'counted' ? look.used : 0));
  const overs = oversOf(hits, before, charge, stepOfUsed).map((over, i) => overThen(over, looks[i] as Reading));
  const fates = fatesOf(hits, overs, charge);
  return fates === null ? chargeTogether(request, charge) : refuse(request, looks, fates);
}

/** A store that only assumed has said what it makes of any cost. */
function overThen(over: boolean, look: Reading): boolean {
  return look.kind === 'assumed' ? look.outcome === 'over_limit' : over;
}

/**
 * Charges what is charged all the same, gives refunds back, and tells the rest as it was seen. What a refusal takes
 * nothing of is charged too where it would go over: only its store knows when it would be admitted.
 */
async function refuse(
  request: Request,
  looks: readonly Reading[],
  fates: readonly Fate[],
): Promise<readonly Reading[]> {
  const { hits } = request;
  const asks = (i: number): boolean => fates[i] === 'would_go_over' && !countsRefused(hits[i] as Hit);
  const moves = (i: number): boolean => fates[i] === 'charged' || asks(i) || (hits[i] as Hit).cost < 0;
  const moved = await takeAll(part(request, moves));
  let next = 0;
  const readings = looks.map((look, i) => (moves(i) ? (moved[next++] as Reading) : look));
  // It fits after all: others gave back in between, or it goes over only beside another hit of this request.
  const fits = (i: number): boolean => asks(i) && isCharged(readings[i]);
  if (readings.some((_, i) => fits(i))) await giveBack(request, fits);
  return readings.map((reading, i) =>
    fates[i] === 'charged' ? reading : told(reading, hits[i] as Hit, fates[i] === 'would_go_over'),
  );
}

/** Charges what may be charged by what was seen, and gives it back where that is not true any more. */
async function chargeTogether(request: Request, charge: Together): Promise<readonly Reading[]> {
  const { hits } = request;
  // A store sees a part of the quotas, so it can't tell whether all are over.
  const asked = hits.map((hit): Hit => (hit.refuses === 'together' ? { ...hit, refuses: 'never' } : hit));
  const readings = await takeAll({ ...request, hits: asked }, charge === 'only_if_admitted' ? charge : 'always');
  const overs = readings.map((reading, i) => tellsOver(reading, hits[i] as Hit));
  if (!isDenied(hits, overs)) return readings;
  const returns = (i: number): boolean =>
    isCharged(readings[i]) && (hits[i] as Hit).cost >= 0 && (charge === 'only_if_admitted' || overs[i] !== true);
  const given = await giveBack(request, returns);
  let next = 0;
  return readings.map((reading, i) =>
    returns(i) ? told(given?.[next++] ?? reading, hits[i] as Hit, overs[i] === true) : reading,
  );
}

/** The hits that `wanted` chooses, by index. */
function part({ hits, stores, nowUs, caller }: Request, wanted: (i: number) => boolean): Request {
  return {
    hits: hits.filter((_, i) => wanted(i)),
    stores: stores.filter((_, i) => wanted(i)),
    nowUs,
    caller,
  };
}

/** Whether the caller is still there or not. Null when a store could not be reached. */
async function giveBack(request: Request, wanted: (i: number) => boolean): Promise<readonly Reading[] | null> {
  const chosen = part(request, (i) => wanted(i) && (request.hits[i] as Hit).cost >= 0);
  const hits = chosen.hits.map((hit) => ({ ...hit, cost: 0 - hit.cost }));
  return takeAll({ ...chosen, hits, caller: undefined }).catch(() => null);
}

function isCharged(reading: Reading | undefined): boolean {
  return reading?.kind === 'counted' && reading.charged;
}

function told(reading: Reading, hit: Hit, wouldGoOver: boolean): Reading {
  if (reading.kind === 'assumed' || (!reading.charged && reading.over === wouldGoOver)) return reading;
  const { used, by, resetAfterUs } = reading;
  const found = uncharged(hit, used, wouldGoOver, by);
  // What a look told is not when this cost would be admitted.
  return resetAfterUs === undefined || wouldGoOver ? found : { ...found, resetAfterUs };
}
