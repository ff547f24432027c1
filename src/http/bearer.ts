import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type HttpHandler, textReply } from './exchange.ts';

export interface BearerOptions {
  /** The token stands alone in it, and is read at each request: it may be replaced while we run. */
  readonly file: string;
  /** Told when it cannot be read, with a sentence; nobody is let in then. */
  readonly onTrouble: (because: string) => void;
}

const MOST_TOKEN_CHARS = 4_096;

const WITHOUT = {
  ...textReply(401, 'This page is for callers who bear the token: Authorization: Bearer TOKEN\n'),
  headers: { 'www-authenticate': 'Bearer' },
};
const UNREADABLE = textReply(503, 'The file with the token cannot be read now; the log says why.\n');

/** Lets in who bears the token of a file (RFC 6750). Throws an Error with a sentence when there is none in it now. */
export function bearer({ file, onTrouble }: BearerOptions): (inner: HttpHandler) => HttpHandler {
  tokenOf(file, () => readFileSync(file, 'utf8'));
  return (inner) => async (request) => {
    let token: string;
    try {
      const text = await readFile(file, 'utf8');
      token = tokenOf(file, () => text);
    } catch (error) {
      onTrouble(sentence(file, error));
      return UNREADABLE;
    }
    const [, borne = ''] = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    return isSame(borne, token) ? inner(request) : WITHOUT;
  };
}

function tokenOf(file: string, read: () => string): string {
  let token: string;
  try {
    token = read().trim();
  } catch (error) {
    throw new Error(sentence(file, error));
  }
  if (/^[!-~]+$/.test(token) && token.length <= MOST_TOKEN_CHARS) return token;
  throw new Error(
    `${file} must hold a token alone, of at most ${MOST_TOKEN_CHARS} printable characters without blanks`,
  );
}

function sentence(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `${file} cannot be read: ${code}`;
}

/** In the same time wherever they differ, also in length. */
function isSame(borne: string, token: string): boolean {
  const [one, other] = [borne, token].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer];
  return timingSafeEqual(one, other);
}
