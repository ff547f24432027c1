import { RequestError } from './errors.ts';
import { numberOfUnit, type Unit } from './unit.ts';
import { SHOULD_RATE_LIMIT, type WireDescriptor, type WireRequest } from './wire.ts';

/** Keys and values in the order of the rules: as an object, or as pairs where a key could be taken for an index. */
export type Entries = Readonly<Record<string, string>> | readonly (readonly [key: string, value: string])[];

/** Entries alone, or with what is special about them. */
export type Descriptor = Entries | DescriptorWords;

export interface DescriptorWords {
  readonly entries: Entries;
  /** How many hits this one is charged; absent: those of the check. 0 only looks, a negative number gives back. */
  readonly hits?: number;
  /** A limit that travels with the request and beats the rules. */
  readonly limit?: { readonly requests: number; readonly unit: Unit };
}

const MOST_32_BITS = 0xffff_ffff;
/** What gRPC takes. Beyond, it would look like a service that has too much to do. */
const MOST_BYTES = 4 * 2 ** 20;

/** Throws RequestError for what no service could decide. */
export function wireRequest(domain: string, descriptors: readonly Descriptor[], hits: number): WireRequest {
  if (text('the domain', domain) === '') throw new RequestError('the domain must not be empty', null);
  if (descriptors.length === 0) throw new RequestError('there must be at least one descriptor', null);
  checkHits(hits);
  // The number of the whole request has no 0 and no sign, but services that are older know no other.
  const forAll = hits >= 1 && hits <= MOST_32_BITS;
  const described = descriptors.map((each) => wireDescriptor(each, forAll ? undefined : hits));
  const request = { domain, descriptors: described, hitsAddend: forAll ? hits : 0 };
  if (SHOULD_RATE_LIMIT.requestSerialize(request).length > MOST_BYTES) {
    throw new RequestError(`the request has more than ${MOST_BYTES} bytes`, null);
  }
  return request;
}

/** It charges nothing, so that asking twice is as good as asking once. */
export function onlyLooks({ descriptors }: WireRequest): boolean {
  return descriptors.every(({ hitsAddend }) => hitsAddend?.value === 0);
}

function wireDescriptor(descriptor: Descriptor, hitsOfAll: number | undefined): WireDescriptor {
  const { entries, hits = hitsOfAll, limit } = hasWords(descriptor) ? descriptor : { entries: descriptor };
  const pairs = pairsOf(entries);
  if (pairs.length === 0) throw new RequestError('a descriptor must have at least one entry', null);
  if (hits !== undefined) checkHits(hits);
  return {
    entries: pairs.map(([key, value]) => ({
      key: text('the key of an entry', key),
      value: text(`the value of entry ${key}`, value),
    })),
    ...(limit === undefined ? {} : { limit: wireOverride(limit) }),
    ...(hits === undefined ? {} : { hitsAddend: { value: Math.abs(hits) }, isNegativeHits: hits < 0 }),
  };
}

/** Half a character would travel as another one, so that two texts could share a counter. */
function text(what: string, text: unknown): string {
  if (typeof text !== 'string') throw new RequestError(`${what} must be a text`, null);
  if (!text.isWellFormed()) throw new RequestError(`${what} must be Unicode`, null);
  return text;
}

function hasWords(descriptor: Descriptor): descriptor is DescriptorWords {
  return 'entries' in descriptor && typeof descriptor.entries === 'object';
}

function pairsOf(entries: Entries): readonly (readonly [string, string])[] {
  if (Array.isArray(entries)) return entries;
  const pairs = Object.entries(entries as Readonly<Record<string, string>>);
  // JavaScript moves such keys to the front, and the order of entries has a meaning.
  const moved = pairs.length > 1 ? pairs.find(([key]) => /^\d+$/.test(key)) : undefined;
  if (moved) throw new RequestError(`entry ${moved[0]} would lose its place: write the entries as pairs`, null);
  return pairs;
}

function wireOverride({ requests, unit }: NonNullable<DescriptorWords['limit']>) {
  const number = numberOfUnit(unit);
  if (number === undefined) throw new RequestError(`unknown unit of a limit: ${unit}`, null);
  if (!Number.isInteger(requests) || requests < 0 || requests > MOST_32_BITS) {
    throw new RequestError(`a limit must be a whole number from 0 to 2^32-1, and is ${requests}`, null);
  }
  return { requestsPerUnit: requests, unit: number };
}

function checkHits(hits: number): void {
  if (!Number.isSafeInteger(hits)) throw new RequestError(`hits must be a whole number, and are ${hits}`, null);
}
