import { gunzip } from 'node:zlib';
import { CallError } from './message-reader.ts';
import { STATUS } from './status.ts';

/** Rejects with CallError: what is no gzip, and what would be longer than a message may be. */
export function gunzipped(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, { maxOutputLength: Math.max(1, maxBytes) }, (error: NodeJS.ErrnoException | null, inflated) => {
      if (error === null) resolve(inflated);
      else if (error.code === 'ERR_BUFFER_TOO_LARGE') {
        reject(new CallError(STATUS.resourceExhausted, `a message of more than ${maxBytes} bytes`));
      } else reject(new CallError(STATUS.internal, 'the message is no gzip'));
    });
  });
}
