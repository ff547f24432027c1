import { status } from '@grpc/grpc-js';
import type { RateLimitResponse } from '../../src/grpc/client.ts';
import { serviceNamed } from '../../src/grpc/protos.ts';
import type { WireDescriptor, WireMessage, WireRequest } from './wire-request.ts';

const { responseDeserialize } = serviceNamed('envoy.service.ratelimit.v3.RateLimitService').ShouldRateLimit!;

export interface GrpcReply {
  readonly code: status;
  readonly details: string;
  readonly bytes: Buffer | null;
}

export interface JsonReply {
  readonly status: number;
  readonly body: string;
}

const MOST_BYTES = 4_194_304;
const UNMARSHALLING = 'grpc: error unmarshalling request: ';

/** What is wrong with an answer over gRPC; '' when nothing is. */
export function wrongInGrpc({ bytes: message, request }: WireMessage, { code, details, bytes }: GrpcReply): string {
  if (message.length > MOST_BYTES) return code === status.RESOURCE_EXHAUSTED ? '' : 'a message beyond 4 MiB is taken';
  if (request !== null) {
    const expected = codeOf(request);
    if (code !== expected) return `${status[code]} "${details}" instead of ${status[expected]}`;
  }
  if (code === status.INVALID_ARGUMENT) return details === '' ? 'INVALID_ARGUMENT without a reason' : '';
  // INTERNAL is also what a defect gives; only bytes that are no protobuf may.
  if (code === status.INTERNAL && details.startsWith(UNMARSHALLING)) return '';
  if (code !== status.OK) return `${status[code]}: ${details}`;
  if (bytes === null || bytes.length === 0) return 'a reply of no bytes, which Envoy reads as "allow"';
  const reply = responseDeserialize(bytes) as RateLimitResponse;
  const wrong = wrongInResponse(
    reply.overallCode,
    reply.statuses.map((it) => it.code),
  );
  if (wrong !== '') return wrong;
  const asked = descriptorsIn(message);
  if (reply.statuses.length !== asked) return `${reply.statuses.length} statuses for ${asked} descriptors`;
  return request === null ? '' : wrongInStatuses(request, reply);
}

/** What is wrong with an answer of /json; '' when nothing is. */
export function wrongInJson(sent: Buffer, { status: code, body }: JsonReply): string {
  if (code === 400 || code === 413) return '';
  if (code !== 200 && code !== 429) return `status ${code}`;
  const reply = JSON.parse(body) as { overallCode: string; statuses: { code: string }[] };
  const wrong = wrongInResponse(
    reply.overallCode,
    reply.statuses.map((it) => it.code),
  );
  if (wrong !== '') return wrong;
  if ((reply.overallCode === 'OK') !== (code === 200)) return `${reply.overallCode} with status ${code}`;
  const asked = (JSON.parse(sent.toString()) as { descriptors: unknown[] }).descriptors.length;
  return reply.statuses.length === asked ? '' : `${reply.statuses.length} statuses for ${asked} descriptors`;
}

function wrongInResponse(overall: string, codes: readonly string[]): string {
  const strange = [overall, ...codes].find((it) => it !== 'OK' && it !== 'OVER_LIMIT');
  if (strange !== undefined) return `the code ${strange}`;
  const worst = codes.includes('OVER_LIMIT') ? 'OVER_LIMIT' : 'OK';
  return overall === worst ? '' : `overall ${overall} of ${codes}`;
}

/** The answer that a well-formed request gets, by the bounds of the settings and the refusals of the protocol. */
function codeOf({ domain, descriptors }: WireRequest): status {
  const limited = ['fuzz', '10.1.2.3'].includes(domain.toString('latin1'));
  const refused =
    domain.length === 0 ||
    domain.length > 16_384 ||
    descriptors.length === 0 ||
    descriptors.length > 1_000 ||
    descriptors.some(
      ({ entries, limit }) =>
        entries.length > 100 ||
        entries.some(({ key, value }) => key.length > 16_384 || value.length > 2_097_152) ||
        (limited && limit !== null && (limit.unit < 1n || limit.unit > 7n)),
    );
  return refused ? status.INVALID_ARGUMENT : status.OK;
}

function wrongInStatuses(request: WireRequest, { statuses }: RateLimitResponse): string {
  if (request.domain.toString('latin1') !== 'fuzz') return '';
  for (const [i, descriptor] of request.descriptors.entries()) {
    const { limit } = descriptor;
    const told = statuses[i]!;
    if (limit === null) continue;
    if (told.currentLimit?.requestsPerUnit !== Number(limit.requests)) return `status ${i} tells another limit`;
    const over = told.code === 'OVER_LIMIT';
    if (isHuge(descriptor) && !over) return `status ${i} lets ${descriptor.hits} hits pass`;
    if (over && told.limitRemaining !== 0) return `status ${i} is over with ${told.limitRemaining} left`;
    if (told.durationUntilReset === null) return `status ${i} has no reset`;
  }
  return '';
}

/** More hits than any limit there is. */
function isHuge({ hits, refund }: WireDescriptor): boolean {
  return hits !== null && hits > 0xffff_ffffn && !refund;
}

/** How many fields 2 of wire type 2 stand at the top of the message, which is known to be protobuf. */
function descriptorsIn(message: Buffer): number {
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('OK for a message that is cut short');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
  };
  let count = 0;
  let depth = 0;
  while (at < message.length) {
    const tag = Number(varint());
    if (tag === 0x12 && depth === 0) count++;
    const type = tag & 7;
    if (type === 0) varint();
    else if (type === 3) depth++;
    else if (type === 4) depth--;
    else {
      const length = type === 1 ? 8 : type === 5 ? 4 : Number(varint());
      at += length;
    }
  }
  return count;
}
