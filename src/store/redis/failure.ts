import { StoreError, type StoreErrorCode } from '../../core/ports.ts';

// By the first word of Redis's answer. What is not here concerns the script, or a counter that is none.
const MEANINGS: Readonly<Record<string, readonly [StoreErrorCode, string]>> = {
  BUSY: ['unavailable', 'Redis is busy running another script'],
  LOADING: ['unavailable', 'Redis is loading its data'],
  READONLY: ['unavailable', 'Redis is a read-only replica'],
  MASTERDOWN: ['unavailable', 'Redis has lost its master'],
  MISCONF: ['unavailable', 'Redis refuses writes because it cannot save them'],
  OOM: ['unavailable', 'Redis has no memory left'],
  NOAUTH: ['unavailable', 'Redis wants a password'],
  WRONGPASS: ['unavailable', 'Redis refuses the password'],
  NOPERM: ['unavailable', 'Redis forbids this user to count'],
  CLUSTERDOWN: ['unavailable', 'the Redis cluster has no master for this counter'],
  TRYAGAIN: ['unavailable', 'the Redis cluster is moving this counter'],
  MOVED: ['unavailable', 'this counter is on another node of the Redis cluster'],
  ASK: ['unavailable', 'this counter is on another node of the Redis cluster'],
  CROSSSLOT: ['unavailable', 'this Redis is a cluster, and was not said to be one'],
};

/** Redis 6.2 sets it before what it refuses within a script. */
const IN_SCRIPT = /^@user_script: \d+: /;

/** What Redis answered instead of a count, for the caller: no key, no address, no password. */
export function refusedByRedis(told: string): StoreError {
  const text = told.replace(IN_SCRIPT, '').trim();
  const word = text.slice(0, text.search(/\s|$/)).replace(/^-/, '');
  const meaning = MEANINGS[word];
  if (meaning !== undefined) return new StoreError(meaning[0], meaning[1], new Error(text));
  if (/WRONGTYPE|not an integer|not a bucket/.test(text)) {
    return new StoreError('counter', 'a counter key holds something that is no counter', new Error(text));
  }
  return new StoreError('script', 'Redis could not run the counting script', new Error(text));
}

/** A command that came back as an error, or never got out. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (isRefusal(error)) return refusedByRedis(error.message);
  return unavailable(error);
}

/** Whoever said so is not the master, or not any more. */
export function isReplica({ cause }: StoreError): boolean {
  return cause instanceof Error && /^-?(READONLY|MASTERDOWN)\b/.test(cause.message);
}

/** The user may run the script, but not on this key. */
export function forbidsKey({ cause }: StoreError): boolean {
  return cause instanceof Error && /^-?NOPERM .*(access a key|one of the keys)/i.test(cause.message);
}

/** Redis said no, as opposed to saying nothing. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

export function unavailable(cause?: unknown): StoreError {
  return new StoreError('unavailable', 'Redis is not reachable', plainError(cause));
}

/** The error without what ioredis hangs on it: the command with its keys, and in AUTH and HELLO the password. */
export function plainError(error: unknown): Error | undefined {
  return error instanceof Error ? new Error(error.message) : undefined;
}
