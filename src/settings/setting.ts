import { goBoolean, goDurationMs, integerBetween, MOST_GO_HOURS, oneOf, pairs } from './go-values.ts';

/** One knob. The flag is the environment name in lower case with dashes. */
export interface Setting<T> {
  readonly env: string;
  readonly group: string;
  readonly doc: string;
  /** As it would be written in the environment; '' stands for "not set". */
  readonly default: string;
  readonly parse: (text: string) => T;
  /** What a value looks like, in the help: `duration`, `true|false`. */
  readonly form: string;
}

export const text = (value: string): string => value;
export const optionalText = (value: string): string | null => (value === '' ? null : value);
export const absolutePath = (value: string): string => {
  if (!value.startsWith('/')) throw new Error('expected a path that starts with /');
  return value;
};
/** Of HTTP/2: RFC 9113, section 6.9. A smaller one than it begins with would be overdrawn by the first flight. */
export const window = integerBetween(65_535, 2 ** 31 - 1);
/** A token of RFC 9110, section 5.6.2, or nothing. */
export const headerName = (value: string): string => {
  if (!/^[\w!#$%&'*+.^`|~-]*$/.test(value)) throw new Error('expected the name of an HTTP header');
  return value;
};
export const EMPTY_IS_A_VALUE: ReadonlySet<unknown> = new Set([text, headerName]);
export const port = integerBetween(0, 65_535);
export const COUNT_MOST = 1_000_000_000;
export const count = integerBetween(0, COUNT_MOST);
export const atLeastOne = integerBetween(1, COUNT_MOST);

export function setting<T>(env: string, form: string, fallback: string, parse: (text: string) => T, doc: string) {
  return { env, form, default: fallback, parse, doc };
}
export function inGroup<T extends Record<string, object>>(group: string, settings: T) {
  const named = Object.entries(settings).map(([name, setting]) => [name, { ...setting, group }]);
  return Object.fromEntries(named) as { readonly [K in keyof T]: T[K] & { readonly group: string } };
}
/** A time that is up at once makes every call fail. */
export const atLeastOneMs = (value: string): number => {
  const ms = goDurationMs(value);
  if (ms < 1) throw new Error('expected a duration of at least 1ms');
  return ms;
};

export const bool = (env: string, fallback: boolean, doc: string) =>
  setting(env, 'true|false', String(fallback), goBoolean, doc);
export const duration = (env: string, fallback: string, doc: string) =>
  setting(env, 'duration', fallback, goDurationMs, doc);
export const path = (env: string, doc: string) => setting(env, 'path', '', optionalText, doc);
export const secret = (env: string, doc: string) => setting(env, 'secret', '', optionalText, doc);
export const redisType = (env: string, doc: string) =>
  setting(env, 'single|sentinel|cluster', '', optional(oneOf('single', 'sentinel', 'cluster')), doc);
export const socketType = (env: string, doc: string) =>
  setting(env, 'tcp|unix', '', optional(oneOf('tcp', 'unix')), doc);
export const MOST_CONNECTIONS = 1_000;
/** So many at once, and so many a second in the long run. */
export const rate = (value: string): { readonly burst: number; readonly perSecond: number } => {
  const parts = /^(\d{1,9}),(\d{1,9})$/.exec(value);
  const [burst, perSecond] = [Number(parts?.[1]), Number(parts?.[2])];
  if (!(burst >= 1 && perSecond >= 1)) throw new Error('expected two whole numbers from 1: at once,a second');
  return { burst, perSecond };
};
/** What the kernel takes for the address of a unix socket, in bytes. */
export const MOST_SOCKET_PATH = 107;
export const socketPath = (value: string): string | null => {
  if (value.startsWith('@')) throw new Error('expected the path of a file; abstract sockets are not supported');
  if (Buffer.byteLength(value) > MOST_SOCKET_PATH)
    throw new Error(`expected a path of at most ${MOST_SOCKET_PATH} bytes`);
  return optionalText(value);
};
export const backend = (value: string) => {
  if (value.toLowerCase() === 'memcache') {
    throw new Error('memcache is not supported; count in Redis (redis, with REDIS_URL) or in this process (memory)');
  }
  return oneOf('redis', 'memory')(value);
};
/** OpenSSL takes a name with a dot in front for all names that end so. */
export const certificateName = (value: string): string => {
  if (/^\.|\s/.test(value)) throw new Error('expected a DNS name or an IP address');
  return value;
};
/** For what may well take longer than any timer of Node. */
export const longDuration = (env: string, fallback: string, doc: string) =>
  setting(env, 'duration', fallback, (value) => goDurationMs(value, MOST_GO_HOURS), doc);
export const poolSize = (env: string, doc: string) =>
  setting(env, 'number', '1', integerBetween(1, MOST_CONNECTIONS), doc);

/** gRPC takes these and no others; a value may hold a token, so it is never told. */
export const grpcHeaders = (value: string): Readonly<Record<string, string>> => {
  const headers = pairs(':')(value);
  for (const [name, text] of Object.entries(headers)) {
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(text)) throw new Error('expected values of printable ASCII');
  }
  return headers;
};

/** Of an exporter: as gRPC takes them, the values percent-encoded as the OpenTelemetry specification has them. */
export const exporterHeaders = (value: string): Readonly<Record<string, string>> => {
  const entries = Object.entries(pairs('=')(value)).map(([name, text]) => {
    let decoded: string;
    try {
      decoded = decodeURIComponent(text);
    } catch {
      throw new Error('expected values in percent-encoding');
    }
    if (!/^[\w.-]+$/.test(name)) throw new Error('expected names of letters, digits, _, - and .');
    if (!/^[ -~]*$/.test(decoded)) throw new Error('expected values of printable ASCII');
    return [name.toLowerCase(), decoded];
  });
  return Object.fromEntries(entries);
};
/** With a scheme, or `host:port` alone. It may hold a password, so it is never told. */
export const endpoint = (value: string): string | null => {
  if (value === '') return null;
  if (!/^https?:\/\/[^/]/i.test(value) && !/^[^/\s]+:\d+$/.test(value)) throw new Error('expected http(s)://host:port');
  if (!URL.canParse(value.includes('://') ? value : `http://${value}`)) throw new Error('expected http(s)://host:port');
  return value;
};

export function optional<T>(parse: (text: string) => T): (text: string) => T | null {
  return (value) => (value === '' ? null : parse(value));
}

export function flagOf({ env }: Setting<unknown>): string {
  return env.toLowerCase().replaceAll('_', '-');
}

export function isSwitch({ parse }: Setting<unknown>): boolean {
  return parse === goBoolean;
}
