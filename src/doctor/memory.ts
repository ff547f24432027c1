import type { Settings } from '../settings/settings.ts';
import { type Finding, warn } from './finding.ts';

/** What it means to count in the process itself. */
export function memory({ memoryMaxKeys }: Settings): Finding {
  const says =
    'hits are counted in the memory of each process: n processes admit n times each limit, a restart forgets all, and ' +
    `beyond ${memoryMaxKeys} counters the least recently used is dropped`;
  return warn('store.memory', says, 'set REDIS_URL when there is more than one process, or when limits must hold');
}
