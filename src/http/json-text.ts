import { REQUEST_BOUNDS } from '../core/request.ts';

/** JSON as it was written: numbers keep their digits, and members their order. */
export type JsonNode = null | boolean | string | JsonNumber | readonly JsonNode[] | ReadonlyMap<string, JsonNode>;

export interface JsonNumber {
  readonly digits: string;
}

/** The text is no JSON, or not the JSON that was asked for. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// From space on, all but the quote and the backslash; control characters must be escaped.
const PLAIN = /[ !#-[\]-\uffff]*/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * Reads one JSON value (RFC 8259) with nothing after it. Stricter than JSON.parse: a member named twice, half of a
 * surrogate pair and deep nesting are refused. Members are a Map, so no name means anything to JavaScript.
 */
export function parseJson(text: string, maxNesting = REQUEST_BOUNDS.maxNesting): JsonNode {
  let at = 0;

  function fail(what: string): never {
    throw new JsonError(`${what} at character ${at}`);
  }
  function take(pattern: RegExp): string {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? '';
    at += found.length;
    return found;
  }
  /** Skips space, then `token` if it stands there. */
  function accept(token: string): boolean {
    take(SPACE);
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  }

  function value(depth: number): JsonNode {
    if (depth > maxNesting) fail('nested too deep');
    if (accept('{')) return members(depth);
    if (accept('[')) return items(depth);
    if (accept('"')) return string();
    if (accept('null')) return null;
    if (accept('true')) return true;
    if (accept('false')) return false;
    const digits = take(NUMBER);
    return digits === '' ? fail('expected a value') : { digits };
  }

  function members(depth: number): JsonNode {
    const found = new Map<string, JsonNode>();
    if (accept('}')) return found;
    do {
      if (!accept('"')) fail('expected a member');
      const name = string();
      if (found.has(name)) fail('the same member twice');
      if (!accept(':')) fail("expected ':'");
      found.set(name, value(depth + 1));
    } while (accept(','));
    return accept('}') ? found : fail("expected ',' or '}'");
  }

  function items(depth: number): JsonNode {
    const found: JsonNode[] = [];
    if (accept(']')) return found;
    do found.push(value(depth + 1));
    while (accept(','));
    return accept(']') ? found : fail("expected ',' or ']'");
  }

  /** After the opening quote. */
  function string(): string {
    let found = '';
    for (;;) {
      found += take(PLAIN);
      const next = text[at++];
      if (next === '"') break;
      if (next !== '\\') fail('a string without end, or a bare control character');
      found += escaped();
    }
    return found.isWellFormed() ? found : fail('half of a surrogate pair');
  }

  function escaped(): string {
    const letter = text[at++] ?? '';
    if (letter !== 'u') return ESCAPES[letter] ?? fail('an unknown escape');
    const hex = take(HEX4);
    return hex === '' ? fail('an unknown escape') : String.fromCharCode(Number.parseInt(hex, 16));
  }

  const read = value(1);
  take(SPACE);
  return at === text.length ? read : fail('something after the value');
}
