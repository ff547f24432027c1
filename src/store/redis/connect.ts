import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';
import './fast-strings.ts';
import { type Login, loginInFile } from './login.ts';
import type { SentinelTarget, SingleTarget } from './target.ts';
import { type TlsFiles, tlsInFiles } from './tls.ts';

export interface RedisClientOptions {
  /** TLS; `rediss://` asks for it too. */
  readonly tls?: boolean | undefined;
  readonly tlsFiles?: TlsFiles | undefined;
  readonly connectTimeoutMs: number;
  /** A connection that owes an answer and says nothing for so long is given up and dialled anew. */
  readonly stallTimeoutMs: number;
  /** 0 <= random() < 1. */
  readonly random: () => number;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 500;
export const CLOSE_TIMEOUT_MS = 500;

/** A sentinel that is silent, or the master it names, is passed over after this, whatever a dial may take elsewhere. */
const MOST_SENTINEL_DIAL_MS = 1_000;

/**
 * A client that is not yet connected, never queues what it can't send, and dials for ever. Passwords and certificates
 * in files are read anew before each dial but the first. `named` is told which address a sentinel gave for the dial.
 * Throws an Error with a sentence when the files can't be read.
 */
export function redisClient(
  target: SingleTarget | SentinelTarget,
  options: RedisClientOptions,
  named: (master: string) => void = () => {},
): Redis {
  const secrets = secretsOf(target, options);
  const retryMs = (times: number): number => {
    Object.assign(client.options, secrets());
    return pauseMs(times, options.random);
  };
  const client: Redis = new Redis({
    ...(target.type === 'single' ? target.address : sentinelOptions(target, options, retryMs, named)),
    ...secrets(),
    db: target.db,
    connectionName: 'weir',
    lazyConnect: true,
    connectTimeout: dialMs(target, options),
    socketTimeout: options.stallTimeoutMs,
    disconnectTimeout: CLOSE_TIMEOUT_MS,
    retryStrategy: retryMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A hit counts once at most: what was cut off may have been counted, so nobody sends it again.
    autoResendUnfulfilledCommands: false,
    // Redis says LOADING by itself, and asking INFO first needs a right that a careful ACL does not give.
    enableReadyCheck: false,
    disableClientInfo: true,
  });
  // A dial that threw is not tried again by ioredis itself; whoever dials then finds what the files say by then.
  client.on('end', () => Object.assign(client.options, secrets()));
  return client;
}

function dialMs({ type }: SingleTarget | SentinelTarget, { connectTimeoutMs }: RedisClientOptions): number {
  return type === 'sentinel' ? Math.min(connectTimeoutMs, MOST_SENTINEL_DIAL_MS) : connectTimeoutMs;
}

function sentinelOptions(
  target: SentinelTarget,
  options: RedisClientOptions,
  retryMs: (times: number) => number,
  named: (master: string) => void,
): Omit<RedisOptions, 'replyMapping'> {
  return {
    sentinels: [...target.sentinels],
    name: target.master,
    role: 'master',
    sentinelRetryStrategy: retryMs,
    sentinelCommandTimeout: dialMs(target, options),
    // Changes no address. ioredis tells the addresses of sentinels too, and that of the master last.
    natMap: (address) => {
      named(address);
      return null;
    },
  };
}

/** A TLS handshake that is cut short may fail twice, and ioredis listens once: the second error would end the process. */
export function hangUp(client: Redis): void {
  client.stream?.on('error', () => {});
  client.disconnect();
}

/** As ioredis writes it for `named`. */
export function addressOf(host: string, port: string): string {
  return `${host}:${port}`;
}

/** A new client of one of the sentinels, in turn, that dials once. */
export type SentinelDial = (turn: number) => Redis;

/** Throws an Error with a sentence when a file can't be read. */
export function sentinelDial(target: SentinelTarget, options: RedisClientOptions): SentinelDial {
  const secrets = secretsOf(target, options);
  return (turn) => {
    const { sentinelUsername, sentinelPassword, sentinelTLS } = secrets();
    const client: Redis = new Redis({
      ...target.sentinels[turn % target.sentinels.length],
      username: sentinelUsername,
      password: sentinelPassword,
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
      connectTimeout: dialMs(target, options),
      commandTimeout: dialMs(target, options),
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    // Whoever asks hears it.
    return client.on('error', () => {});
  };
}

type Secrets = Pick<
  RedisOptions,
  'username' | 'password' | 'sentinelUsername' | 'sentinelPassword' | 'tls' | 'sentinelTLS' | 'enableTLSForSentinelMode'
>;

function secretsOf(target: SingleTarget | SentinelTarget, options: RedisClientOptions): () => Secrets {
  const login = loginsOf(target.authFile, target);
  const tls = tlsOf(target, options);
  if (target.type === 'single') return () => ({ ...login(), ...(tls === null ? {} : { tls: tls() }) });
  const sentinel = loginsOf(target.sentinelAuthFile, target.sentinel);
  return () => {
    const secrets = { ...login(), sentinelUsername: sentinel().username, sentinelPassword: sentinel().password };
    if (tls === null) return secrets;
    const read = tls();
    return { ...secrets, tls: read, sentinelTLS: read, enableTLSForSentinelMode: true };
  };
}

function loginsOf(file: string | undefined, { username, password }: Login): () => Login {
  return file === undefined ? () => ({ username, password }) : loginInFile(file);
}

/** Null: no TLS. */
function tlsOf(target: SingleTarget | SentinelTarget, options: RedisClientOptions): (() => ConnectionOptions) | null {
  if (!(options.tls || target.tls)) return null;
  const files = tlsInFiles(options.tlsFiles ?? {});
  if (target.type === 'sentinel') return files;
  if ('path' in target.address)
    throw new Error('TLS for Redis needs a TCP address; the Redis URL is the path of a socket');
  const { host } = target.address;
  // Servers that share an address tell by the name which certificate is meant; Node does not send it by itself.
  return isIP(host) ? files : () => ({ servername: host, ...files() });
}

/** Doubles from 50 to 500 ms; the jitter takes up to half away, so that many processes don't dial in step. */
function pauseMs(times: number, random: () => number): number {
  const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10));
  return Math.ceil(most * (1 - random() / 2));
}
