import { REQUEST_BOUNDS } from '../core/request.ts';

/** JSON as it was written: numbers keep their digits, and members their order. */
export type JsonNode = null | boolean | string | JsonNumber | readonly JsonNode[] | ReadonlyMap<string, JsonNode>;

export interface JsonNumber {
  readonly digits: string;
}

/**
 * What may stand where, so that a text is refused at its first member or item too many instead of when millions of
 * them have been built. null passes everywhere; 'scalar' is all but objects and lists.
 */
export type JsonShape =
  | 'any'
  | 'scalar'
  | { readonly kind: 'list'; readonly most: number; readonly item: JsonShape }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonShape> };

/** The text is no JSON, or not the JSON that was asked for. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

const ANY_ITEMS = { most: Number.POSITIVE_INFINITY, item: 'any' } as const;
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
 * surrogate pair, deep nesting and what `expected` has no place for are refused. Members are a Map, so no name means anything to JavaScript.
 */
export function parseJson(text: string, maxNesting = REQUEST_BOUNDS.maxNesting, expected: JsonShape = 'any'): JsonNode {
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

  function value(depth: number, shape: JsonShape): JsonNode {
    if (depth > maxNesting) fail('nested too deep');
    if (accept('{')) return members(depth, shape);
    if (accept('[')) return items(depth, shape);
    if (accept('"')) return string();
    if (accept('null')) return null;
    if (accept('true')) return true;
    if (accept('false')) return false;
    const digits = take(NUMBER);
    return digits === '' ? fail('expected a value') : { digits };
  }

  function members(depth: number, shape: JsonShape): JsonNode {
    if (shape !== 'any' && (shape === 'scalar' || shape.kind !== 'object')) fail('an object that was not expected');
    const found = new Map<string, JsonNode>();
    if (accept('}')) return found;
    do {
      if (!accept('"')) fail('expected a member');
      const name = string();
      if (found.has(name)) fail('the same member twice');
      const inside = shape === 'any' ? shape : (shape.members.get(name) ?? fail('an unknown field'));
      if (!accept(':')) fail("expected ':'");
      found.set(name, value(depth + 1, inside));
    } while (accept(','));
    return accept('}') ? found : fail("expected ',' or '}'");
  }

  function items(depth: number, shape: JsonShape): JsonNode {
    if (shape !== 'any' && (shape === 'scalar' || shape.kind !== 'list')) fail('a list that was not expected');
    const { most, item } = shape === 'any' ? ANY_ITEMS : shape;
    const found: JsonNode[] = [];
    if (accept(']')) return found;
    do {
      if (found.length === most) fail('too many items');
      found.push(value(depth + 1, item));
    } while (accept(','));
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

  const read = value(1, expected);
  take(SPACE);
  return at === text.length ? read : fail('something after the value');
}
