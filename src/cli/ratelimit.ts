import { wantsRedis } from '../counting.ts';
import { serve } from './serve.ts';

export const RATELIMIT_HELP = `weir ratelimit                   serve as /bin/ratelimit of the Go service is started

Settings come from the environment alone, and Redis must be named: instances that count in memory, each for itself, would
each admit the whole limit. BACKEND_TYPE=memory says that this is meant.
`;

/** `weir ratelimit`: exit codes as `weir serve`. */
export function ratelimit(args: readonly string[]): Promise<number> {
  return serve([], ({ settings }) => {
    if (args.length > 0) return 'ratelimit takes no arguments: its settings are in the environment';
    if (settings.backendType !== null || wantsRedis(settings)) return null;
    return 'no Redis is named: set REDIS_URL, or BACKEND_TYPE=memory to count in this process alone';
  });
}
