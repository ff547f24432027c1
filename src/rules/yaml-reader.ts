import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  Parser,
  type YAMLParseError,
} from 'yaml';

/** The text is not YAML. `at` is the offset of the offending character. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** Text and structure only: what a scalar means is decided later. `at` is an offset into the text. */
export type YamlNode = YamlScalar | YamlMap | YamlList | YamlAlias;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly at: number;
  /** As written, without quotes and escapes. */
  readonly text: string;
  /** Neither quoted nor tagged: the text decides the type. */
  readonly plain: boolean;
  /** In full (`tag:yaml.org,2002:str`), or ''. */
  readonly tag: string;
}

export interface YamlMap {
  readonly kind: 'map';
  readonly at: number;
  /** Keys and values in turn, as written: twice the same key is possible. */
  readonly pairs: readonly YamlNode[];
}

export interface YamlList {
  readonly kind: 'list';
  readonly at: number;
  readonly items: readonly YamlNode[];
}

export interface YamlAlias {
  readonly kind: 'alias';
  readonly at: number;
  readonly target: YamlNode;
}

/** Deeper nesting is an attack, not a rules file. */
export const MAX_YAML_DEPTH = 500;

/** Control characters, half characters and the two that are none: never part of YAML text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const NOT_TEXT = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\p{Cs}]/u;

/**
 * The first document of a text; null when there is none. What follows the first document is not looked at.
 * Throws YamlError.
 */
export function readYaml(text: string): YamlNode | null {
  try {
    return readFirst(text);
  } catch (error) {
    // The stack overflowed in spite of the bound on depth: refused as well, never a crash.
    if (error instanceof RangeError) throw tooDeep(0);
    throw error;
  }
}

function readFirst(text: string): YamlNode | null {
  const tokens: CST.Token[] = [];
  let end = text.length;
  const parser = new Parser();
  for (const token of parser.parse(text)) {
    tokens.push(token);
    if (token.type !== 'document') continue;
    // The parser stands where the next document starts.
    end = parser.offset;
    checkDepth(token);
    break;
  }
  const badAt = text.search(NOT_TEXT);
  if (badAt >= 0 && badAt < end) throw new YamlError('this character is not text; is the file UTF-8?', badAt);
  // The failsafe schema leaves every scalar a text. Duplicate keys are accepted, as by go-yaml.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, stringKeys: false, prettyErrors: false });
  for (const document of composer.compose(tokens, false)) {
    const error = firstOf(document.errors);
    if (error) throw new YamlError(inOwnWords(error), error.pos[0]);
    return document.contents === null ? null : convert(document.contents as ParsedNode, new Map(), 0);
  }
  return null;
}

/**
 * The composer recurses into what the parser found, and a stack that overflows inside of V8's RegExp compiler ends the
 * whole process, so the depth is bounded before. Without recursion, therefore.
 */
function checkDepth(document: CST.Document): void {
  let level: CST.Token[] = document.value ? [document.value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_YAML_DEPTH) throw tooDeep(level[0]!.offset);
    const below: CST.Token[] = [];
    for (const token of level) {
      if (!('items' in token)) continue;
      for (const item of token.items) {
        if (item.key && 'items' in item.key) below.push(item.key);
        if (item.value && 'items' in item.value) below.push(item.value);
      }
    }
    level = below;
  }
}

function firstOf(errors: readonly YAMLParseError[]): YAMLParseError | undefined {
  return [...errors].sort((a, b) => a.pos[0] - b.pos[0])[0];
}

function inOwnWords({ code, message }: YAMLParseError): string {
  if (code === 'TAB_AS_INDENT') return 'a tab cannot indent';
  if (code === 'BLOCK_AS_IMPLICIT_KEY')
    return "a second ': ' in one line; is the indentation right, or are quotes missing?";
  const end = /end with a (.)$/.exec(message);
  if (end) return `a '${end[1]}' is missing before this`;
  return message.charAt(0).toLowerCase() + message.slice(1);
}

function tooDeep(at: number): YamlError {
  return new YamlError(`nested deeper than ${MAX_YAML_DEPTH} levels`, at);
}

/** An anchor is known from its node on, inside of it too; a later one of the same name takes its place. */
function convert(node: ParsedNode | null, anchors: Map<string, YamlNode>, depth: number): YamlNode {
  if (node === null) return { kind: 'scalar', at: 0, text: '', plain: true, tag: '' };
  const at = node.range[0];
  if (depth > MAX_YAML_DEPTH) throw tooDeep(at);
  if (isAlias(node)) {
    const target = anchors.get(node.source);
    if (target === undefined) throw new YamlError(`there is no &${node.source} above`, at);
    return { kind: 'alias', at, target };
  }
  const remember = <N extends YamlNode>(converted: N): N => {
    if (node.anchor !== undefined) anchors.set(node.anchor, converted);
    return converted;
  };
  if (isScalar(node)) {
    const tag = node.tag ?? '';
    const text = node.source ?? (typeof node.value === 'string' ? node.value : '');
    const written = node.type === undefined || node.type === 'PLAIN';
    return remember({ kind: 'scalar', at, text, plain: tag === '!' || (written && tag === ''), tag });
  }
  if (isSeq(node)) {
    const items: YamlNode[] = [];
    const list = remember({ kind: 'list' as const, at, items });
    for (const item of node.items) items.push(convert(item as ParsedNode | null, anchors, depth + 1));
    return list;
  }
  if (!isMap(node)) throw new YamlError('this is no rule', at);
  const pairs: YamlNode[] = [];
  const map = remember({ kind: 'map' as const, at, pairs });
  for (const pair of node.items) {
    pairs.push(convert(pair.key as ParsedNode | null, anchors, depth + 1));
    pairs.push(convert(pair.value as ParsedNode | null, anchors, depth + 1));
  }
  return map;
}
