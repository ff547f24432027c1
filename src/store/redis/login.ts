import { readFileSync } from 'node:fs';
import { reread } from './reread.ts';

export interface Login {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

export const NO_LOGIN: Login = { username: undefined, password: undefined };

/** `password` or `user:password`, split at the first colon. */
export function loginOf(auth: string): Login {
  const colon = auth.indexOf(':');
  if (colon === -1) return { username: undefined, password: auth || undefined };
  return { username: auth.slice(0, colon) || undefined, password: auth.slice(colon + 1) || undefined };
}

/**
 * What a file says in the form of `loginOf`, line ends at its end left out, read at each call. Throws an Error with a
 * sentence when it can't be read now; later the last login that was read stays.
 */
export function loginInFile(path: string): () => Login {
  return reread(`the Redis password file ${path}`, () => loginOf(readFileSync(path, 'utf8').replace(/[\r\n]+$/, '')));
}
