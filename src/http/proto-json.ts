import type { CheckRequest, Descriptor, Entry, Override, RequestBounds } from '../core/request.ts';
import { MAX_HITS } from '../core/request.ts';
import { UNIT_NUMBER } from '../core/unit.ts';
import { JsonError, type JsonNode, type JsonShape, parseJson } from './json-text.ts';

const MAX_DIGITS = 64;
const INT32_MAX = 0x7fff_ffffn;
const UINT32_MAX = 0xffff_ffffn;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** `envoy.type.v3.RateLimitUnit`, which has no name for WEEK; its number 7 is taken like any other number. */
const UNIT_NAMES: ReadonlyMap<string, number> = new Map([
  ['UNKNOWN', 0],
  ...Object.entries(UNIT_NUMBER)
    .filter(([unit]) => unit !== 'week')
    .map(([unit, number]): [string, number] => [unit.toUpperCase(), number]),
]);

/**
 * envoy.service.ratelimit.v3.RateLimitRequest in proto3 JSON (https://protobuf.dev/programming-guides/json/): names in
 * camelCase or snake_case, null for absent, numbers as text too. Throws JsonError for what the mapping does not allow,
 * unknown fields included, and for what breaches `bounds`.
 */
export function requestFromJson(text: string, bounds: RequestBounds): CheckRequest {
  const field = fields(parseJson(text, bounds.maxNesting, requestShape(bounds)), [
    'domain',
    'descriptors',
    'hitsAddend',
  ]);
  return {
    domain: string(field('domain'), bounds.maxKeyBytes),
    descriptors: list(field('descriptors')).map((node) => descriptor(node, bounds)),
    hits: Number(unsigned(field('hitsAddend'), UINT32_MAX) ?? 0n),
  };
}

function requestShape({ maxDescriptors, maxEntries }: RequestBounds): JsonShape {
  const entry = message({ key: 'scalar', value: 'scalar' });
  const descriptor = message({
    entries: { kind: 'list', most: maxEntries, item: entry },
    limit: message({ requestsPerUnit: 'scalar', unit: 'scalar' }),
    hitsAddend: 'scalar',
    isNegativeHits: 'scalar',
  });
  const descriptors: JsonShape = { kind: 'list', most: maxDescriptors, item: descriptor };
  return message({ domain: 'scalar', descriptors, hitsAddend: 'scalar' });
}

function message(fields: Readonly<Record<string, JsonShape>>): JsonShape {
  const named = Object.entries(fields).flatMap(([name, shape]): [string, JsonShape][] => [
    [name, shape],
    [snakeCase(name), shape],
  ]);
  return { kind: 'object', members: new Map(named) };
}

function descriptor(node: JsonNode, bounds: RequestBounds): Descriptor {
  const field = fields(node, ['entries', 'limit', 'hitsAddend', 'isNegativeHits']);
  const limit = field('limit');
  const hits = unsigned(field('hitsAddend'), UINT64_MAX);
  return {
    entries: list(field('entries')).map((each) => entry(each, bounds)),
    limit: limit === null ? null : override(limit),
    hits: hits === null ? null : Math.min(Number(hits), MAX_HITS),
    refund: boolean(field('isNegativeHits')),
  };
}

function entry(node: JsonNode, bounds: RequestBounds): Entry {
  const field = fields(node, ['key', 'value']);
  return { key: string(field('key'), bounds.maxKeyBytes), value: string(field('value'), bounds.maxValueBytes) };
}

function override(node: JsonNode): Override {
  const field = fields(node, ['requestsPerUnit', 'unit']);
  return { requestsPerUnit: Number(unsigned(field('requestsPerUnit'), UINT32_MAX) ?? 0n), unit: unit(field('unit')) };
}

/** Reads a message; gives its fields by their JSON name, null where absent. */
function fields<Name extends string>(node: JsonNode, names: readonly Name[]): (name: Name) => JsonNode {
  if (!(node instanceof Map)) throw new JsonError('expected an object');
  const found = new Map<Name, JsonNode>();
  for (const [written, value] of node as ReadonlyMap<string, JsonNode>) {
    const name = names.find((each) => each === written || snakeCase(each) === written);
    if (name === undefined) throw new JsonError('an unknown field');
    if (found.has(name)) throw new JsonError('the same field twice');
    found.set(name, value);
  }
  return (name) => found.get(name) ?? null;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function list(node: JsonNode): readonly JsonNode[] {
  if (node === null) return [];
  if (!Array.isArray(node)) throw new JsonError('expected a list');
  return node as readonly JsonNode[];
}

function string(node: JsonNode, maxBytes: number): string {
  if (node === null) return '';
  if (typeof node !== 'string') throw new JsonError('expected a text');
  if (Buffer.byteLength(node) > maxBytes) throw new JsonError('the text is too long');
  return node;
}

function boolean(node: JsonNode): boolean {
  if (node === null) return false;
  if (typeof node !== 'boolean') throw new JsonError('expected true or false');
  return node;
}

/** A number or the text of one; null when absent. */
function unsigned(node: JsonNode, most: bigint): bigint | null {
  if (node === null) return null;
  return within(integer(digitsOf(typeof node === 'string' ? parseQuoted(node) : node)), 0n, most);
}

function within(value: bigint, least: bigint, most: bigint): bigint {
  if (value < least || value > most) throw new JsonError('a number out of range');
  return value;
}

function parseQuoted(text: string): JsonNode {
  if (text.trim() !== text) throw new JsonError('space around a number');
  return parseJson(text, 1, 'scalar');
}

/** By name or by number. An open enum: numbers without a name pass, and are judged later. */
function unit(node: JsonNode): number {
  if (node === null) return 0;
  if (typeof node !== 'string') return Number(within(integer(digitsOf(node)), -INT32_MAX - 1n, INT32_MAX));
  const number = UNIT_NAMES.get(node);
  if (number === undefined) throw new JsonError('an unknown unit');
  return number;
}

function digitsOf(node: JsonNode): string {
  if (node === null || typeof node !== 'object' || !('digits' in node)) throw new JsonError('expected a number');
  return node.digits;
}

/** The integer that JSON digits mean: `1e2` and `10.0` are integers, `1.5` is not. */
function integer(digits: string): bigint {
  // 2^64 has 20 digits, with a fraction of zeros somewhat more; a longer number is not even looked at.
  if (digits.length > MAX_DIGITS) throw new JsonError('a number out of range');
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits) ?? [];
  const significant = `${whole}${fraction}`.replace(/^0+/, '').replace(/0+$/, '');
  if (significant === '') return 0n;
  const trailing = `${whole}${fraction}`.length - `${whole}${fraction}`.replace(/0+$/, '').length;
  const zeros = Number(exponent) - fraction.length + trailing;
  if (zeros < 0) throw new JsonError('not a whole number');
  if (significant.length + zeros > 20) throw new JsonError('a number out of range');
  const value = BigInt(significant + '0'.repeat(zeros));
  return sign === '' ? value : -value;
}
