import type { Decision, Verdict } from './decision.ts';
import type { Descriptor, Micros } from './request.ts';
import type { Json, JsonObject } from './ruleset.ts';
import { unitOfNumber } from './unit.ts';

/** What every answer needs, whatever its encoding: headers and dynamic metadata, made of the decision alone. */
export interface Projection {
  readonly headers: readonly Header[];
  readonly metadata: JsonObject | null;
}

export interface Header {
  readonly key: string;
  readonly value: string;
}

export interface ProjectionOptions {
  /** null: LIMIT_RESPONSE_HEADERS_ENABLED is off. */
  readonly headerNames: { readonly limit: string; readonly remaining: string; readonly reset: string } | null;
  /** LIMIT_RETRY_AFTER_HEADER: on refusals alone; '' when it is off. */
  readonly retryAfterName: string;
  /** RESPONSE_DYNAMIC_METADATA. */
  readonly dynamicMetadata: boolean;
}

const NOTHING: Projection = { headers: [], metadata: null };

export function project(decision: Decision, options: ProjectionOptions): Projection {
  const { headerNames, retryAfterName, dynamicMetadata } = options;
  if (headerNames === null && retryAfterName === '' && !dynamicMetadata) return NOTHING;
  return { headers: headersOf(decision, options), metadata: dynamicMetadata ? metadataOf(decision) : null };
}

const NO_HEADERS: readonly Header[] = [];

function headersOf(
  { binding, outcome }: Decision,
  { headerNames, retryAfterName }: ProjectionOptions,
): readonly Header[] {
  if (binding === null) return NO_HEADERS;
  const seconds = String(wholeSeconds(binding.resetAfterUs));
  const headers: Header[] = [];
  if (headerNames !== null) {
    headers.push(
      { key: headerNames.limit, value: String(binding.hit.limit.requestsPerUnit) },
      { key: headerNames.remaining, value: String(binding.remaining) },
      { key: headerNames.reset, value: seconds },
    );
  }
  if (retryAfterName !== '' && outcome === 'over_limit') headers.push({ key: retryAfterName, value: seconds });
  return headers;
}

/** Rounded up, so that a caller who waits that long does not come too early; at least 1. */
export function wholeSeconds(us: Micros): number {
  return Math.max(1, Math.ceil(us / 1_000_000));
}

/** The request as it was understood, and the merged metadata of the rules that let it pass. */
function metadataOf({ request, verdicts }: Decision): JsonObject {
  const merged = mergedMetadata(verdicts);
  return {
    domain: request.domain,
    descriptors: request.descriptors.map(descriptorMetadata),
    ...(request.hits === 0 ? {} : { hitsAddend: request.hits }),
    ...(merged === null ? {} : { metadata: merged }),
  };
}

function descriptorMetadata({ entries, limit, hits }: Descriptor): JsonObject {
  return {
    entries: entries.map(({ key, value }) => `${key}=${value}`),
    ...(limit === null ? {} : { limit: overrideText(limit.requestsPerUnit, limit.unit) }),
    ...(hits === null ? {} : { hitsAddend: hits }),
  };
}

/** The protobuf text form: zero fields are left out; WEEK has no name in RateLimitUnit. */
function overrideText(requestsPerUnit: number, unit: number): string {
  const name = unitOfNumber(unit);
  const unitText = name === undefined || name === 'week' ? String(unit) : name.toUpperCase();
  const fields = [requestsPerUnit === 0 ? '' : `requests_per_unit:${requestsPerUnit}`];
  if (unit !== 0) fields.push(`unit:${unitText}`);
  return fields.filter((field) => field !== '').join(' ');
}

/** In descriptor order; the first value wins, objects merge. Never writes into a rule's own metadata. */
function mergedMetadata(verdicts: readonly Verdict[]): JsonObject | null {
  let merged: JsonObject | null = null;
  for (const { match, outcome } of verdicts) {
    if (match.kind !== 'limited' || outcome === 'over_limit' || !match.rule?.metadata) continue;
    merged = merged === null ? match.rule.metadata : merge(merged, match.rule.metadata);
  }
  return merged;
}

function merge(first: JsonObject, second: JsonObject): JsonObject {
  const merged: Record<string, Json> = Object.assign(Object.create(null), first);
  for (const [key, value] of Object.entries(second)) {
    const mine = merged[key];
    if (mine === undefined) merged[key] = value;
    else if (isObject(mine) && isObject(value)) merged[key] = merge(mine, value);
  }
  return merged;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
