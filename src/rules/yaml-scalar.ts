import { YamlError, type YamlNode, type YamlScalar } from './yaml-reader.ts';

/** What a scalar means under YAML 1.1 as go-yaml v2 reads it. Dates and numbers with `:` stay text. */
export type Scalar =
  | { readonly type: 'null' }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  /** Fits a signed 64-bit integer. */
  | { readonly type: 'int'; readonly value: bigint }
  /** Over 63 bits, up to 64. */
  | { readonly type: 'uint'; readonly value: bigint }
  | { readonly type: 'float'; readonly value: number };

const NULL: Scalar = { type: 'null' };
const TRUE: Scalar = { type: 'bool', value: true };
const FALSE: Scalar = { type: 'bool', value: false };
const WORDS: ReadonlyMap<string, Scalar> = new Map([
  ...spellings(NULL, 'null'),
  ...['', '~'].map((word): [string, Scalar] => [word, NULL]),
  ...['y', 'yes', 'true', 'on'].flatMap((word) => spellings(TRUE, word)),
  ...['n', 'no', 'false', 'off'].flatMap((word) => spellings(FALSE, word)),
  ...spellings({ type: 'float', value: Number.POSITIVE_INFINITY }, '.inf', '', '+'),
  ...spellings({ type: 'float', value: Number.NEGATIVE_INFINITY }, '.inf', '-'),
  ...(['.nan', '.NaN', '.NAN'] as const).map((word): [string, Scalar] => [word, { type: 'float', value: Number.NaN }]),
]);

function spellings(value: Scalar, word: string, ...signs: string[]): [string, Scalar][] {
  const at = word.startsWith('.') ? 1 : 0;
  const title = word.slice(0, at) + word.charAt(at).toUpperCase() + word.slice(at + 1);
  return (signs.length === 0 ? [''] : signs).flatMap((sign) =>
    [word, title, word.toUpperCase()].map((text): [string, Scalar] => [sign + text, value]),
  );
}

const MAY_BE_TYPED = /^[-+0-9.yYnNtTfFoO~]/;
const INTEGER = /^([-+]?)(?:(0[xX][0-9a-fA-F]+|0[bB][01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

const STANDARD = 'tag:yaml.org,2002:';
const BY_TAG: Readonly<Record<string, readonly Scalar['type'][]>> = {
  bool: ['bool'],
  int: ['int', 'uint'],
  float: ['float', 'int'],
  null: ['null'],
};

/** Throws YamlError when a tag and the text disagree. */
export function resolve(node: YamlScalar): Scalar {
  if (node.tag === '') return node.plain ? resolvePlain(node.text) : { type: 'text', value: node.text };
  const tag = node.tag.startsWith(STANDARD) ? node.tag.slice(STANDARD.length) : '';
  if (tag === 'binary') return { type: 'text', value: fromBase64(node) };
  const wanted = Object.hasOwn(BY_TAG, tag) ? BY_TAG[tag]! : null;
  if (wanted === null) return { type: 'text', value: node.text };
  const value = resolvePlain(node.text);
  if (!wanted.includes(value.type)) throw new YamlError(`${JSON.stringify(node.text)} is no !!${tag}`, node.at);
  return tag === 'float' && value.type === 'int' ? { type: 'float', value: Number(value.value) } : value;
}

function resolvePlain(text: string): Scalar {
  if (text !== '' && !MAY_BE_TYPED.test(text)) return { type: 'text', value: text };
  return WORDS.get(text) ?? resolveNumber(text) ?? { type: 'text', value: text };
}

function resolveNumber(text: string): Scalar | null {
  const first = text.charCodeAt(0);
  if (first > 57) return null;
  // Underscores group digits; a number that starts with a dot has none.
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const found = INTEGER.exec(plain);
  if (found) {
    const [, sign = '', prefixed, octal, decimal] = found;
    const size = BigInt(octal === undefined ? (prefixed ?? decimal!) : `0o${octal}`);
    const value = sign === '-' ? -size : size;
    if (value >= -MAX_INT64 - 1n && value <= MAX_INT64) return { type: 'int', value };
    if (sign === '' && value <= MAX_UINT64) return { type: 'uint', value };
  }
  if (!FLOAT.test(plain)) return null;
  const value = Number(plain);
  return Number.isFinite(value) ? { type: 'float', value } : null;
}

function fromBase64(node: YamlScalar): string {
  const text = node.text.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    throw new YamlError('this is no base64', node.at);
  }
  return Buffer.from(text, 'base64').toString('utf8');
}

/** A value as Go prints it in its messages: `map[a:1 b:true]`, `[x y]`, `<nil>`. */
export function goText(node: YamlNode): string {
  if (node.kind === 'alias') return goText(node.target);
  if (node.kind === 'list') return `[${node.items.map(goText).join(' ')}]`;
  if (node.kind === 'map') {
    const pairs = new Map<string, string>();
    for (let i = 0; i < node.pairs.length; i += 2) pairs.set(goText(node.pairs[i]!), goText(node.pairs[i + 1]!));
    return `map[${[...pairs.keys()]
      .sort()
      .map((key) => `${key}:${pairs.get(key)}`)
      .join(' ')}]`;
  }
  return goScalar(resolve(node));
}

export function goScalar(scalar: Scalar): string {
  if (scalar.type === 'null') return '<nil>';
  return scalar.type === 'float' ? goFloat(scalar.value) : String(scalar.value);
}

/** The shortest text that reads back, with an exponent of two digits below 1e-4 and from 1e21 on. */
function goFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return Object.is(value, -0) ? '-0' : String(value);
  return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
}
