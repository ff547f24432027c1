import { redisPlaces, wantsRedis } from '../../counting.ts';
import type { Settings } from '../../settings/settings.ts';
import type { RedisStoreOptions } from '../../store/redis/redis-store.ts';
import { MAIN, type Names, PER_SECOND } from './set-by.ts';

/** A Redis that the service would count in. */
export interface Place {
  /** How sentences begin: `Redis`. */
  readonly label: string;
  /** The room of the findings: `store`. */
  readonly room: string;
  readonly names: Names;
  /** What counter keys begin with. */
  readonly prefix: string;
  /** As the service has them. */
  readonly options: RedisStoreOptions;
}

/** In the order of `redisPlaces`. */
const PLACES = [
  { label: 'Redis', room: 'store', names: MAIN },
  { label: 'the Redis for limits per second', room: 'per-second', names: PER_SECOND },
] as const;

/** None when hits are counted in memory. */
export function places(settings: Settings): readonly Place[] {
  if (!wantsRedis(settings)) return [];
  return redisPlaces(settings).map((options, i) => ({ ...PLACES[i]!, prefix: settings.keyPrefix, options }));
}
