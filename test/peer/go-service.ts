import { goTool } from '../foreign/toolchain.ts';

/**
 * The newest Go service that can be installed as a module. It is some months older than the one whose answers are
 * recorded in test/oracle; where the two differ, the recordings win.
 */
export const SERVICE = {
  module: 'github.com/envoyproxy/ratelimit/src/service_cmd',
  version: 'v1.4.1-0.20260122083618-3fb702589d36',
};

/** The path of the Go service, built below the cache directory the first time. */
export const goService = (): Promise<string> => goTool(SERVICE);
