import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua text, to be called by its hash and sent whole to a server that does not know it. */
export interface Script {
  readonly source: string;
  /** SHA-1 in hexadecimal, as EVALSHA wants it. */
  readonly sha: string;
}

/** Charges a batch. Modules are functions, so that a call pays for those it uses. */
export const BATCH: Script = script(
  [...['fixed-window', 'sliding-window', 'gcra'].map(module), lua('batch')].join('\n'),
);

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

function module(name: string): string {
  return `local function ${name.replace('-', '_')}()\n${lua(name)}end\n`;
}

/** `lua/<name>.lua` beside this file; the build copies the folder. */
function lua(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}
