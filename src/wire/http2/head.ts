import type { Fields } from '../hpack/decoder.ts';

/** A request as RFC 9113, section 8.3.1 has it. One object may stand for many requests that were the same bytes. */
export interface Head {
  readonly method: string;
  readonly scheme: string;
  readonly path: string;
  readonly authority: string;
  /** -1 when it is not told. */
  readonly contentLength: number;
  /** Names and values in turn, pseudo-headers left out. */
  readonly fields: Readonly<Fields>;
  /** Of the whole list, as section 6.5.2 counts them. */
  readonly listBytes: number;
  /** What whoever serves the request has made of it. */
  memo: unknown;
}

const PSEUDO = [':method', ':scheme', ':path', ':authority'] as const;

/** Section 8.2.2. `te` may stand when it says trailers. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110, section 5.1, in lower case as RFC 9113, section 8.2.1 demands. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// NUL, CR and LF are forbidden, and white space at either end.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are looked for.
const BAD_VALUE = /[\u0000\r\n]|^[ \t]|[ \t]$/;
const LENGTH = /^\d{1,15}$/;

/** The head, or what makes it malformed (section 8.1.1). */
export function readHead(all: Readonly<Fields>, listBytes: number): Head | string {
  const pseudo: (string | null)[] = [null, null, null, null];
  let at = 0;
  for (; at < all.length && all[at]!.charCodeAt(0) === 0x3a; at += 2) {
    const which = PSEUDO.indexOf(all[at] as (typeof PSEUDO)[number]);
    if (which === -1) return 'an unknown pseudo-header';
    if (pseudo[which] !== null) return `a second ${all[at]}`;
    if (BAD_VALUE.test(all[at + 1]!)) return `a bad ${all[at]}`;
    pseudo[which] = all[at + 1]!;
  }
  const fields = all.slice(at);
  const wrong = wrongField(fields);
  if (wrong !== null) return wrong;
  const [method, scheme, path, authority] = pseudo;
  if (method == null || method === '') return ':method is missing';
  // Section 8.5: CONNECT has neither, and has to say where to.
  if (method === 'CONNECT') {
    if (scheme !== null || path !== null || !authority) return 'a bad CONNECT';
  } else if (!scheme || !path) return ':scheme or :path is missing';
  const contentLength = contentLengthOf(fields);
  if (contentLength === null) return 'a bad content-length';
  return {
    ...{ method, scheme: scheme ?? '', path: path ?? '', authority: authority ?? '' },
    ...{ contentLength, fields, listBytes, memo: null },
  };
}

/** What makes fields malformed where no pseudo-header may stand, or null. */
export function wrongField(fields: Readonly<Fields>): string | null {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    if (!NAME.test(name)) return 'a bad name of a field';
    if (BAD_VALUE.test(value)) return 'a bad value of a field';
    if (CONNECTION_SPECIFIC.has(name)) return `${name} is of HTTP/1.1`;
    if (name === 'te' && value.toLowerCase() !== 'trailers') return 'te other than trailers';
  }
  return null;
}

function contentLengthOf(fields: Readonly<Fields>): number | null {
  let length = -1;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== 'content-length') continue;
    const value = fields[i + 1]!;
    if (!LENGTH.test(value) || (length !== -1 && length !== Number(value))) return null;
    length = Number(value);
  }
  return length;
}
