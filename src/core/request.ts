/**
 * What a caller asks, free of any transport.
 *
 * Texts come from protobuf bytes. Valid UTF-8 is decoded as usual; a byte b that is not part of valid UTF-8 becomes the
 * lone surrogate U+DC00+b (PEP 383), so that two different byte strings never become one text.
 */

/** Integer microseconds since the epoch. */
export type Micros = number;

/** Hits above this saturate; it is the largest integer a double and a Lua number hold exactly. */
export const MAX_HITS = Number.MAX_SAFE_INTEGER;

export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** A limit that travels in the request and beats the rules. `unit` is the wire number, not yet checked. */
export interface Override {
  readonly requestsPerUnit: number;
  readonly unit: number;
}

export interface Descriptor {
  readonly entries: readonly Entry[];
  readonly limit: Override | null;
  /** null when absent; 0 only looks. At most MAX_HITS. */
  readonly hits: number | null;
  /** `is_negative_hits`: the hits are given back. */
  readonly refund: boolean;
}

export interface CheckRequest {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
  /** `hits_addend` of the request: 0 when absent, and then 1 is meant. */
  readonly hits: number;
}

/** What a request may hold at most. A breach is a RequestError that names the bound. */
export interface RequestBounds {
  readonly maxDescriptors: number;
  /** In one descriptor. */
  readonly maxEntries: number;
  /** Of an entry's key, and of the domain. */
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  /** Levels inside each other, of unknown groups in protobuf and of JSON; what is asked for takes five. */
  readonly maxNesting: number;
}

/** Far above what an honest caller sends; a value of 1 MB passes, as it does in the Go service. */
export const REQUEST_BOUNDS: RequestBounds = {
  maxDescriptors: 1000,
  maxEntries: 100,
  maxKeyBytes: 16_384,
  maxValueBytes: 2_097_152,
  maxNesting: 100,
};

/** A request that cannot be decided; the message goes to the caller. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/** How many hits a descriptor asks for: its own number, else the request's, else 1. Negative for a refund. */
export function costOf(request: CheckRequest, descriptor: Descriptor): number {
  const hits = descriptor.hits ?? Math.max(1, request.hits);
  return descriptor.refund ? -hits : hits;
}
