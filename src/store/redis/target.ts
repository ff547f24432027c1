import { type Login, loginOf, NO_LOGIN } from './login.ts';

export type SocketType = 'tcp' | 'unix';
export type RedisType = 'single' | 'sentinel' | 'cluster';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is, and how to log in. */
export type RedisTarget = SingleTarget | SentinelTarget | ClusterTarget;

interface Target extends Login {
  /** Wins over username and password; read again at each dial. */
  readonly authFile: string | undefined;
  readonly db: number;
  readonly tls: boolean;
}

export interface SingleTarget extends Target {
  readonly type: 'single';
  readonly address: HostPort | { readonly path: string };
}

export interface SentinelTarget extends Target {
  readonly type: 'sentinel';
  /** The name that the sentinels know the master by. */
  readonly master: string;
  readonly sentinels: readonly HostPort[];
  readonly sentinel: Login;
  readonly sentinelAuthFile: string | undefined;
}

export interface ClusterTarget extends Target {
  readonly type: 'cluster';
  /** Those that are asked who the others are. */
  readonly nodes: readonly HostPort[];
}

export interface RedisTargetOptions {
  /**
   * single: `host:port`, `redis://user:password@host:port/db`, `rediss://...`, `/path/to.sock` or `unix:/path/to.sock`.
   * sentinel: the master's name, then sentinels, comma-separated. cluster: nodes, comma-separated.
   */
  readonly url: string;
  /** In any letter case. Default: single. */
  readonly type?: string | undefined;
  /** Told from the URL when absent; a mismatch is an error. */
  readonly socketType?: SocketType | undefined;
  /** `password` or `user:password`, split at the first colon. Wins over what the URL says. */
  readonly auth?: string | undefined;
  /** A file that holds the same. Wins over `auth`. */
  readonly authFile?: string | undefined;
  /** For the sentinels, who do not know the passwords of the servers they watch. */
  readonly sentinelAuth?: string | undefined;
  readonly sentinelAuthFile?: string | undefined;
  /** Wins over what the URL says. */
  readonly db?: number | undefined;
}

const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26379;

/** Throws an Error with a sentence that never holds a password. */
export function redisTarget(options: RedisTargetOptions): RedisTarget {
  const { url, socketType, auth, authFile, db } = options;
  const type = typeOf(options.type);
  const found = type === 'single' && isPath(url, socketType) ? 'unix' : 'tcp';
  if (socketType !== undefined && socketType !== found) {
    throw new Error(
      found === 'unix'
        ? `the Redis URL ${redactedUrl(url)} is the path of a socket, but the socket type is tcp`
        : `the Redis URL ${redactedUrl(url)} is a TCP address, but the socket type is unix`,
    );
  }
  if (db !== undefined && !isDb(db)) throw new Error(`the Redis database must be a whole number from 0 up, not ${db}`);
  const login = auth ? loginOf(auth) : {};
  const target = { ...addressed(type, options), ...login, authFile, ...(db === undefined ? {} : { db }) };
  if (target.type === 'cluster' && target.db !== 0) throw new Error('a Redis cluster has no database but 0');
  return target;
}

function addressed(type: RedisType, { url, socketType, sentinelAuth, sentinelAuthFile }: RedisTargetOptions) {
  if (type === 'sentinel') return sentinelTarget(url, sentinelAuth, sentinelAuthFile);
  if (type === 'cluster') return clusterTarget(url);
  return isPath(url, socketType) ? pathTarget(url) : singleTarget(url);
}

function typeOf(type: string | undefined): RedisType {
  const name = type?.toLowerCase() ?? 'single';
  if (name === 'single' || name === 'sentinel' || name === 'cluster') return name;
  throw new Error(`unknown Redis type ${JSON.stringify(type)}; single, sentinel and cluster are known`);
}

function isPath(url: string, socketType: SocketType | undefined): boolean {
  if (url.startsWith('/') || url.startsWith('unix:')) return true;
  return socketType === 'unix' && url !== '' && !url.includes('://') && !/:\d*$/.test(url);
}

function pathTarget(url: string): SingleTarget {
  const path = url.replace(/^unix:(\/\/(?=\/))?/, '');
  if (path === '') throw new Error('the Redis URL names no socket path after unix:');
  return { type: 'single', address: { path }, ...NO_LOGIN, authFile: undefined, db: 0, tls: false };
}

function singleTarget(url: string): SingleTarget {
  if (url.includes(',')) {
    throw new Error('the Redis URL is a list, which needs the Redis type sentinel or cluster');
  }
  const { host, port, ...rest } = server(url, DEFAULT_PORT, url);
  return { type: 'single', address: { host, port }, ...rest };
}

function clusterTarget(url: string): ClusterTarget {
  const nodes = url.split(',').map((text) => server(text.trim(), DEFAULT_PORT, url));
  return { type: 'cluster', nodes: nodes.map(hostPort), ...common(nodes) };
}

function sentinelTarget(url: string, auth: string | undefined, authFile: string | undefined): SentinelTarget {
  const [master, ...rest] = url.split(',').map((text) => text.trim()) as [string, ...string[]];
  if (rest.length === 0 || master === '' || /[:/@]/.test(master)) {
    throw new Error(`the Redis URL ${redactedUrl(url)} is not of the form master,sentinel:port,sentinel:port`);
  }
  const sentinels = rest.map((text) => server(text, SENTINEL_PORT, url));
  const { username, password, db, tls } = common(sentinels);
  return {
    type: 'sentinel',
    master,
    sentinels: sentinels.map(hostPort),
    sentinel: auth ? loginOf(auth) : { username, password },
    sentinelAuthFile: authFile,
    ...NO_LOGIN,
    authFile: undefined,
    db,
    tls,
  };
}

interface Server extends HostPort, Target {}

function hostPort({ host, port }: Server): HostPort {
  return { host, port };
}

/** What is true of all servers of a list is told by whichever tells it. */
function common(servers: readonly Server[]): Target {
  const { username, password } = servers.find((it) => it.password !== undefined) ?? NO_LOGIN;
  const db = servers.find((it) => it.db !== 0)?.db ?? 0;
  return { username, password, authFile: undefined, db, tls: servers.some((it) => it.tls) };
}

/** One of a list is shown with the whole of it, whose passwords may hold commas. */
function server(text: string, defaultPort: number, whole: string): Server {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'redis' && scheme !== 'rediss') {
    throw new Error(`the Redis URL begins with ${scheme}://; redis://, rediss://, host:port or a path is understood`);
  }
  // A name alone is a host too, which the URL parser would take for a scheme.
  const url = parsed(scheme === undefined ? `redis://${text}` : text, whole);
  const db = dbOf(url, whole);
  const port = url.port === '' ? defaultPort : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host.includes('=')) throw new Error('the Redis URL names a host with = in it, which is another form of address');
  if (host === '' || port === 0) throw new Error(`the Redis URL ${redactedUrl(whole)} names no host or no port`);
  return { host, port, ...userinfo(url, whole), authFile: undefined, db, tls: scheme === 'rediss' };
}

function parsed(url: string, text: string): URL {
  if (!URL.canParse(url)) {
    // What can't be read may hold a password anywhere.
    throw new Error('the Redis URL is not of the form redis://user:password@host:port/db');
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
function userinfo(url: URL, text: string): Login {
  try {
    const username = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    if (password === '') return { username: undefined, password: username || undefined };
    return { username: username || undefined, password };
  } catch {
    throw new Error(`the Redis URL ${redactedUrl(text)} has a broken % sequence before the @`);
  }
}

/** `host:port`, or a path, for logs. */
export function shownAddress(address: SingleTarget['address']): string {
  if ('path' in address) return address.path;
  const { host, port } = address;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The URL for logs: everything before an @ or after ? and # is masked, in each address of a list. */
export function redactedUrl(url: string): string {
  return url
    .split(/,(?=rediss?:\/\/)/)
    .map((one) => one.replace(/^([^@]*?:\/\/)?.*@/s, '$1*****@').replace(/[?#].*$/s, '?*****'))
    .join(',');
}
