import type { Decision, Verdict } from '../core/decision.ts';
import type { Limit } from '../core/limit.ts';
import { type Header, type Projection, wholeSeconds } from '../core/projection.ts';
import {
  type CheckRequest,
  type Descriptor,
  type Entry,
  MAX_HITS,
  type Override,
  REQUEST_BOUNDS,
  type RequestBounds,
  RequestError,
} from '../core/request.ts';
import { UNIT_NUMBER } from '../core/unit.ts';
import { Reader } from './reader.ts';
import { writeStruct } from './struct.ts';
import { Writer } from './writer.ts';

/** Field number times 8 plus wire type. A known field with another wire type is skipped like an unknown one. */
const REQUEST = { domain: 0x0a, descriptors: 0x12, hitsAddend: 0x18 } as const;
const DESCRIPTOR = { entries: 0x0a, limit: 0x12, hitsAddend: 0x1a, isNegativeHits: 0x20 } as const;
const ENTRY = { key: 0x0a, value: 0x12 } as const;
const OVERRIDE = { requestsPerUnit: 0x08, unit: 0x10 } as const;
const UINT64_VALUE = { value: 0x08 } as const;

/** High halves above this make an integer that a double does not hold. */
const HIGHEST_EXACT = 0x1f_ffff;

/**
 * envoy.service.ratelimit.v3.RateLimitRequest. Throws DecodeError when the bytes are not protobuf, RequestError when
 * they breach a bound; bounds are checked before what they bound is built.
 */
export function decodeRequest(message: Uint8Array, bounds: RequestBounds = REQUEST_BOUNDS): CheckRequest {
  const reader = new Reader(message, bounds.maxNesting);
  let descriptors: Descriptor[] = [];
  let domain = '';
  let hits = 0;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case REQUEST.domain:
        domain = text(reader, bounds.maxKeyBytes, 'domain');
        break;
      case REQUEST.descriptors:
        if (descriptors.length === bounds.maxDescriptors) throw tooMany('descriptors in a request', descriptors.length);
        // Most have one.
        if (descriptors.length === 0) descriptors = [descriptor(reader, bounds)];
        else descriptors.push(descriptor(reader, bounds));
        break;
      case REQUEST.hitsAddend:
        hits = reader.varint();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { domain, descriptors, hits };
}

function descriptor(reader: Reader, bounds: RequestBounds): Descriptor {
  let entries: Entry[] = [];
  let limit: Override | null = null;
  let hits: number | null = null;
  let refund = false;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case DESCRIPTOR.entries:
        if (entries.length === bounds.maxEntries) throw tooMany('entries in a descriptor', entries.length);
        if (entries.length === 0) entries = [entry(reader, bounds)];
        else entries.push(entry(reader, bounds));
        break;
      case DESCRIPTOR.limit:
        limit = override(reader, limit);
        break;
      case DESCRIPTOR.hitsAddend:
        hits = uint64Value(reader, hits ?? 0);
        break;
      case DESCRIPTOR.isNegativeHits:
        refund = (reader.varint() | reader.high) !== 0;
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.leave(outer);
  return { entries, limit, hits, refund };
}

function entry(reader: Reader, bounds: RequestBounds): Entry {
  let key = '';
  let value = '';
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === ENTRY.key) key = text(reader, bounds.maxKeyBytes, 'entry key');
    else if (tag === ENTRY.value) value = text(reader, bounds.maxValueBytes, 'entry value');
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { key, value };
}

/** `earlier` is the same field met before: protobuf merges a message that comes in pieces. */
function override(reader: Reader, earlier: Override | null): Override {
  let requestsPerUnit = earlier?.requestsPerUnit ?? 0;
  let unit = earlier?.unit ?? 0;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === OVERRIDE.requestsPerUnit) requestsPerUnit = reader.varint();
    else if (tag === OVERRIDE.unit) unit = reader.varint() | 0;
    else reader.skip(tag);
  }
  reader.leave(outer);
  return { requestsPerUnit, unit };
}

/** What is beyond MAX_HITS saturates. */
function uint64Value(reader: Reader, earlier: number): number {
  let value = earlier;
  const outer = reader.enter();
  while (reader.more()) {
    const tag = reader.tag();
    if (tag !== UINT64_VALUE.value) {
      reader.skip(tag);
      continue;
    }
    const low = reader.varint();
    value = reader.high > HIGHEST_EXACT ? MAX_HITS : reader.high * 0x1_0000_0000 + low;
  }
  reader.leave(outer);
  return value;
}

function text(reader: Reader, maxBytes: number, what: string): string {
  const length = reader.length();
  if (length > maxBytes) throw new RequestError(`${what} has ${length} bytes, the limit is ${maxBytes}`);
  return reader.text(length);
}

function tooMany(what: string, limit: number): RequestError {
  return new RequestError(`too many ${what}, the limit is ${limit}`);
}

const RESPONSE = { overallCode: 0x08, statuses: 0x12, responseHeadersToAdd: 0x1a, dynamicMetadata: 0x32 } as const;
const STATUS = { code: 0x08, currentLimit: 0x12, limitRemaining: 0x18, durationUntilReset: 0x22 } as const;
const RATE_LIMIT = { requestsPerUnit: 0x08, unit: 0x10, name: 0x1a } as const;
const DURATION = { seconds: 0x08 } as const;
const HEADER = { key: 0x0a, value: 0x12 } as const;

/** UNKNOWN, 0, is never sent: Envoy reads it as "allow". */
const CODE = { ok: 1, over_limit: 2 } as const;

// Encoding never waits, so one writer serves every call.
const writer = new Writer();
const limitWriter = new Writer();

/** `current_limit` of a limit, tag and length included. It never changes, and limits with equal numbers are few objects. */
const currentLimits = new WeakMap<Limit, Uint8Array>();

/** envoy.service.ratelimit.v3.RateLimitResponse: one status per verdict, in order. Never empty. */
export function encodeResponse(decision: Decision, { headers, metadata }: Projection): Buffer {
  writer.begin();
  writer.byte(RESPONSE.overallCode);
  writer.byte(CODE[decision.outcome]);
  for (const verdict of decision.verdicts) writeStatus(verdict);
  for (const header of headers) writeHeader(header);
  if (metadata !== null) {
    writer.byte(RESPONSE.dynamicMetadata);
    const mark = writer.open();
    writeStruct(writer, metadata);
    writer.close(mark);
  }
  return writer.end();
}

function writeStatus({ outcome, binding, remaining, resetAfterUs }: Verdict): void {
  writer.byte(RESPONSE.statuses);
  const mark = writer.open();
  writer.byte(STATUS.code);
  writer.byte(CODE[outcome]);
  if (binding !== null) writeCurrentLimit(binding.hit.limit);
  if (remaining !== 0) {
    writer.byte(STATUS.limitRemaining);
    writer.varint(remaining);
  }
  if (binding !== null) writeReset(wholeSeconds(resetAfterUs));
  writer.close(mark);
}

function writeReset(seconds: number): void {
  writer.byte(STATUS.durationUntilReset);
  const mark = writer.open();
  if (seconds > 0) {
    writer.byte(DURATION.seconds);
    writer.varint(seconds);
  }
  writer.close(mark);
}

function writeCurrentLimit(limit: Limit): void {
  let bytes = currentLimits.get(limit);
  if (bytes === undefined) {
    limitWriter.begin();
    writeRateLimit(limitWriter, limit);
    bytes = limitWriter.end();
    currentLimits.set(limit, bytes);
  }
  writer.raw(bytes);
}

function writeRateLimit(into: Writer, limit: Limit): void {
  into.byte(STATUS.currentLimit);
  const mark = into.open();
  if (limit.requestsPerUnit !== 0) {
    into.byte(RATE_LIMIT.requestsPerUnit);
    into.varint(limit.requestsPerUnit);
  }
  into.byte(RATE_LIMIT.unit);
  into.byte(UNIT_NUMBER[limit.unit]);
  if (limit.shownName !== '') into.text(RATE_LIMIT.name, limit.shownName);
  into.close(mark);
}

function writeHeader({ key, value }: Header): void {
  writer.byte(RESPONSE.responseHeadersToAdd);
  const mark = writer.open();
  if (key !== '') writer.text(HEADER.key, key);
  if (value !== '') writer.text(HEADER.value, value);
  writer.close(mark);
}
