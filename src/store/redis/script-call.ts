import { Command } from 'ioredis';
import { keyBytes } from './key-bytes.ts';
import type { Script } from './scripts.ts';

/** Arguments as they go out, a character for each byte: nothing is made of each, and thousands are one text. */
export interface Packed {
  readonly count: number;
  readonly text: string;
}

/** Of ASCII. */
export function packed(args: readonly string[]): Packed {
  let text = '';
  for (const arg of args) text += bulk(arg);
  return { count: args.length, text };
}

/** Counter keys are nearly always ASCII, and one look at them all costs less than one at each. */
export function packedKeys(keys: readonly string[]): Packed {
  const ascii = packed(keys);
  return Buffer.byteLength(ascii.text) === ascii.text.length ? ascii : packed(keys.map(oneCharAByte));
}

/** Calls a script by its hash, or `whole`. ioredis would measure and copy each argument by itself. */
export class ScriptCall extends Command {
  readonly #bytes: Buffer;

  constructor({ source, sha }: Script, whole: boolean, args: readonly Packed[]) {
    const name = whole ? 'eval' : 'evalsha';
    super(name);
    let count = 2;
    let text = bulk(name) + bulk(whole ? oneCharAByte(source) : sha);
    for (const each of args) {
      count += each.count;
      text += each.text;
    }
    this.#bytes = Buffer.from(`*${count}\r\n${text}`, 'latin1');
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

/** A bulk string of the Redis serialization protocol. */
function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function oneCharAByte(text: string): string {
  const bytes = keyBytes(text);
  return (typeof bytes === 'string' ? Buffer.from(bytes) : bytes).toString('latin1');
}
