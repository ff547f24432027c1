/** A process of its own that counts a million keys in a memory store, and prints its memory as JSON. */
import { limit } from '../../src/core/limit.ts';
import { memoryStore } from '../../src/store/memory.ts';

const KEYS = 1_000_000;
const LIMIT = limit({ requestsPerUnit: 100, unit: 'hour' });
const NOW_US = 1_795_248_000_000_000;
const store = memoryStore({ maxKeys: KEYS });
const before = process.memoryUsage.rss();

function take(value: number): void {
  // Put together anew for each request, as the limiter does.
  const key = `${'edge'}_${`remote_address_10.0.${value}_path_/api/v1_`}${1_795_248_000}`;
  void store.take(
    [
      {
        of: 0,
        key,
        previousKey: '',
        limit: LIMIT,
        cost: 1,
        windowSeconds: 3_600,
        windowEndUs: NOW_US + 3_600_000_000,
        shadow: false,
        refuses: 'alone',
        onStoreFailure: null,
      },
    ],
    'always',
    NOW_US,
  );
}

for (let i = 0; i < KEYS; i++) take(i);
const full = process.memoryUsage.rss();
// Twice as many more: each pushes out an older one, and leaves garbage that V8 collects when it pleases.
for (let i = KEYS; i < 3 * KEYS; i++) take(i);
const turnedOver = process.memoryUsage.rss();
globalThis.gc?.();
const { heapUsed, arrayBuffers } = process.memoryUsage();
console.log(JSON.stringify({ keys: store.size, before, full, turnedOver, inUse: heapUsed + arrayBuffers }));
