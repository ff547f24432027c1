import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua file, to be called by its hash and sent whole to a server that does not know it. */
export interface Script {
  readonly source: string;
  /** SHA-1 in hexadecimal, as EVALSHA wants it. */
  readonly sha: string;
}

/** Reads `lua/<name>.lua` beside this file; the build copies the folder. */
function script(name: string): Script {
  const source = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

export const FIXED_WINDOW: Script = script('fixed-window');
