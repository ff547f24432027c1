import { gunzip } from 'node:zlib';
import { CallError } from './message-reader.ts';
import { Queue } from './queue.ts';
import { STATUS } from './status.ts';

/** Few bytes become many, so only so many messages are blown up at once, of all connections; the others wait in turn. */
const MOST_AT_ONCE = 8;

let atWork = 0;
const waiting = new Queue<() => void>();

/** Rejects with CallError: what is no gzip, what would be longer than a message may be, and what nobody `wants` then. */
export async function gunzipped(
  bytes: Uint8Array,
  maxBytes: number,
  wanted: () => boolean = () => true,
): Promise<Uint8Array> {
  if (atWork < MOST_AT_ONCE) atWork++;
  else await new Promise<void>((turn) => waiting.push(turn));
  try {
    if (!wanted()) throw new CallError(STATUS.cancelled, 'nobody waits for the answer');
    return await inflated(bytes, maxBytes);
  } finally {
    const next = waiting.shift();
    if (next === undefined) atWork--;
    else next();
  }
}

function inflated(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, { maxOutputLength: Math.max(1, maxBytes) }, (error: NodeJS.ErrnoException | null, whole) => {
      if (error === null) resolve(whole);
      else if (error.code === 'ERR_BUFFER_TOO_LARGE') {
        reject(new CallError(STATUS.resourceExhausted, `a message of more than ${maxBytes} bytes`));
      } else reject(new CallError(STATUS.internal, 'the message is no gzip'));
    });
  });
}
