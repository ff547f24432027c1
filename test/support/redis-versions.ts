import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { needsRedis } from './redis.ts';
import { skip } from './skip.ts';

/** A server that counters may be kept in. */
export interface RedisVersion {
  readonly name: string;
  /** For `ownRedis`. */
  readonly program: string;
  /** Call it first in a `before` hook: skips the suite by name where the server could not be had. */
  readonly needs: (context: Mocha.Context) => void;
}

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'weir');

/** What weir promises to count in besides the Redis of the system's packages: the oldest one, and the other branch. */
export const OTHER_VERSIONS: readonly RedisVersion[] = [
  version('Redis 6.2', 'redis-6.2', 'redis-server'),
  version('Valkey', 'valkey', 'valkey-server'),
];

export const ALL_VERSIONS: readonly RedisVersion[] = [
  { name: 'Redis', program: 'redis-server', needs: needsRedis },
  ...OTHER_VERSIONS,
];

function version(name: string, directory: string, binary: string): RedisVersion {
  const program = join(CACHE, directory, 'bin', binary);
  return {
    name,
    program,
    needs(context) {
      needsRedis(context);
      if (!existsSync(program)) skip(context, `no ${name}: see what test/support/install-redis.sh ${directory} says`);
    },
  };
}
