import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';

export type SocketType = 'tcp' | 'unix';

/** Where one Redis is, and how to log in. */
export interface RedisTarget {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: boolean;
}

export interface RedisTargetOptions {
  /** `host:port`, `redis://user:password@host:port/db`, `rediss://...`, `/path/to.sock` or `unix:/path/to.sock`. */
  readonly url: string;
  /** Only `single`, in any letter case. */
  readonly type?: string | undefined;
  /** Told from the URL when absent; a mismatch is an error. */
  readonly socketType?: SocketType | undefined;
  /** `password` or `user:password`, split at the first colon. Wins over what the URL says. */
  readonly auth?: string | undefined;
  /** Wins over what the URL says. */
  readonly db?: number | undefined;
}

export interface RedisClientOptions {
  /** Given, or true: TLS; so does `rediss://`. */
  readonly tls?: ConnectionOptions | boolean | undefined;
  readonly connectTimeoutMs: number;
  /** A connection that owes an answer and says nothing for so long is given up and dialled anew. */
  readonly stallTimeoutMs: number;
  readonly random: () => number;
}

const DEFAULT_PORT = 6379;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 500;
const CLOSE_TIMEOUT_MS = 500;

/** Throws an Error with a sentence that never holds the password. */
export function redisTarget({ url, type, socketType, auth, db }: RedisTargetOptions): RedisTarget {
  checkType(type);
  const target = isPath(url, socketType) ? pathTarget(url) : tcpTarget(url);
  const found = 'path' in target.address ? 'unix' : 'tcp';
  if (socketType !== undefined && socketType !== found) {
    throw new Error(
      found === 'unix'
        ? `the Redis URL ${redactedUrl(url)} is the path of a socket, but the socket type is tcp`
        : `the Redis URL ${redactedUrl(url)} is a TCP address, but the socket type is unix`,
    );
  }
  if (db !== undefined && !isDb(db)) throw new Error(`the Redis database must be a whole number from 0 up, not ${db}`);
  return { ...target, ...(auth ? credentials(auth) : {}), ...(db === undefined ? {} : { db }) };
}

function checkType(type: string | undefined): void {
  const name = type?.toLowerCase() ?? 'single';
  if (name === 'single') return;
  if (name === 'cluster' || name === 'sentinel') {
    throw new Error(`the Redis type ${name} is not supported yet; only single is`);
  }
  throw new Error(`unknown Redis type ${JSON.stringify(type)}; only single is supported`);
}

function isPath(url: string, socketType: SocketType | undefined): boolean {
  if (url.startsWith('/') || url.startsWith('unix:')) return true;
  return socketType === 'unix' && url !== '' && !url.includes('://') && !/:\d*$/.test(url);
}

function pathTarget(url: string): RedisTarget {
  const path = url.replace(/^unix:(\/\/(?=\/))?/, '');
  if (path === '') throw new Error('the Redis URL names no socket path after unix:');
  return { address: { path }, username: undefined, password: undefined, db: 0, tls: false };
}

function tcpTarget(text: string): RedisTarget {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'redis' && scheme !== 'rediss') {
    throw new Error(`the Redis URL begins with ${scheme}://; redis://, rediss://, host:port or a path is understood`);
  }
  if (text.includes(',')) throw new Error('the Redis URL is a list, and only one address is supported yet');
  // A name alone is a host too, which the URL parser would take for a scheme.
  const url = parsed(scheme === undefined ? `redis://${text}` : text, text);
  const db = dbOf(url, text);
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || port === 0) throw new Error(`the Redis URL ${redactedUrl(text)} names no host or no port`);
  return { address: { host, port }, ...userinfo(url, text), db, tls: scheme === 'rediss' };
}

function parsed(url: string, text: string): URL {
  if (!URL.canParse(url)) {
    throw new Error(`the Redis URL ${redactedUrl(text)} is not of the form redis://user:password@host:port/db`);
  }
  const result = new URL(url);
  if (result.search !== '' || result.hash !== '') {
    throw new Error(`the Redis URL ${redactedUrl(text)} has a part after ? or #, which is not understood`);
  }
  return result;
}

function dbOf(url: URL, text: string): number {
  const path = url.pathname.replace(/^\//, '');
  if (path === '') return 0;
  const db = Number(path);
  if (!/^\d+$/.test(path) || !isDb(db)) {
    throw new Error(`the Redis URL ${redactedUrl(text)} names a database that is not a number`);
  }
  return db;
}

function isDb(db: number): boolean {
  return Number.isSafeInteger(db) && db >= 0;
}

/** A lone word before the @ is the password, as redis-cli has it. */
function userinfo(url: URL, text: string): Pick<RedisTarget, 'username' | 'password'> {
  try {
    const username = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    if (password === '') return { username: undefined, password: username || undefined };
    return { username: username || undefined, password };
  } catch {
    throw new Error(`the Redis URL ${redactedUrl(text)} has a broken % sequence before the @`);
  }
}

function credentials(auth: string): Pick<RedisTarget, 'username' | 'password'> {
  const colon = auth.indexOf(':');
  if (colon === -1) return { username: undefined, password: auth };
  return { username: auth.slice(0, colon) || undefined, password: auth.slice(colon + 1) };
}

/** The URL for logs: everything before an @ is masked, in each address of a list. */
export function redactedUrl(url: string): string {
  return url
    .split(/,(?=rediss?:\/\/)/)
    .map((one) => one.replace(/^([^@]*?:\/\/)?.*@/s, '$1*****@'))
    .join(',');
}

/** A client that is not yet connected, never queues what it can't send, and dials for ever. */
export function redisClient(target: RedisTarget, options: RedisClientOptions): Redis {
  const { tls, random } = options;
  const withTls = tls === undefined ? target.tls : tls !== false;
  return new Redis({
    ...target.address,
    username: target.username,
    password: target.password,
    db: target.db,
    ...(withTls ? { tls: typeof tls === 'object' ? tls : {} } : {}),
    connectionName: 'weir',
    lazyConnect: true,
    connectTimeout: options.connectTimeoutMs,
    socketTimeout: options.stallTimeoutMs,
    disconnectTimeout: CLOSE_TIMEOUT_MS,
    retryStrategy: (times) => retryMs(times, random),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A hit counts once at most: what was cut off may have been counted, so nobody sends it again.
    autoResendUnfulfilledCommands: false,
    // Redis says LOADING by itself, and asking INFO first needs a right that a careful ACL does not give.
    enableReadyCheck: false,
    disableClientInfo: true,
  });
}

/** Doubles from 50 to 500 ms; the jitter takes up to half away, so that many processes don't dial in step. */
function retryMs(times: number, random: () => number): number {
  const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10));
  return Math.ceil(most * (1 - random() / 2));
}
