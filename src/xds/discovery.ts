import type { Deserialize, MessageTypeDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import type { Json, JsonObject } from '../core/ruleset.ts';
import { PROTO_OPTIONS } from '../grpc/protos.ts';
import type { Resource, ResourceRule } from '../rules/resource.ts';

export const TYPE_URL = 'type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig';

/** Fields have the names of the .proto files; an absent one is as good as empty. */
export interface DiscoveryRequest {
  readonly version_info: string;
  readonly node: NodeMessage;
  readonly type_url: string;
  readonly response_nonce: string;
  readonly error_detail?: { readonly code: number; readonly message: string };
}

export interface DiscoveryResponse {
  readonly version_info?: string;
  readonly resources?: readonly AnyMessage[];
  readonly type_url?: string;
  readonly nonce?: string;
}

export interface AnyMessage {
  readonly type_url?: string;
  readonly value?: Uint8Array;
}

export interface NodeMessage {
  readonly id: string;
  readonly metadata: StructMessage;
  readonly user_agent_name: string;
  readonly user_agent_version: string;
}

/** The well-known types keep the camel case that the library gives them. */
interface StructMessage {
  readonly fields?: Readonly<Record<string, ValueMessage>>;
}

interface ValueMessage {
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: StructMessage;
  readonly listValue?: { readonly values?: readonly ValueMessage[] };
}

const FILES = ['envoy/service/discovery/v3/ads.proto', 'ratelimit/config/ratelimit/v3/rls_conf.proto'];

let loaded: PackageDefinition | undefined;

/** Read once, and only where rules come over xDS. */
function definitions(): PackageDefinition {
  // Absent fields stay away, so that a large set costs no more than what it says.
  loaded ??= loadSync(FILES, { ...PROTO_OPTIONS, keepCase: true, defaults: false });
  return loaded;
}

/** StreamAggregatedResources. */
export function adsMethod() {
  const service = definitions()['envoy.service.discovery.v3.AggregatedDiscoveryService'] as ServiceDefinition;
  return service.StreamAggregatedResources!;
}

/** Throws an Error when the bytes are no RateLimitConfig, or hold more than 100 messages inside one another. */
export function resourceOf(bytes: Uint8Array): Resource {
  const type = definitions()['ratelimit.config.ratelimit.v3.RateLimitConfig'] as MessageTypeDefinition<object, object>;
  const resource = (type.deserialize as Deserialize<object>)(Buffer.from(bytes)) as Decoded;
  return { ...resource, descriptors: (resource.descriptors ?? []).map(withPlainMetadata) };
}

type Decoded = Omit<Resource, 'descriptors'> & { readonly descriptors?: readonly DecodedRule[] };
type DecodedRule = Omit<ResourceRule, 'metadata' | 'descriptors'> & {
  readonly metadata?: StructMessage;
  readonly descriptors?: readonly DecodedRule[];
};

function withPlainMetadata({ metadata, descriptors, ...rule }: DecodedRule): ResourceRule {
  return {
    ...rule,
    ...(metadata === undefined ? {} : { metadata: objectOf(metadata) }),
    ...(descriptors === undefined ? {} : { descriptors: descriptors.map(withPlainMetadata) }),
  };
}

function objectOf({ fields = {} }: StructMessage): JsonObject {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonOf(value)]));
}

function jsonOf({ numberValue, stringValue, boolValue, structValue, listValue }: ValueMessage): Json {
  if (structValue !== undefined) return objectOf(structValue);
  if (listValue !== undefined) return (listValue.values ?? []).map(jsonOf);
  return numberValue ?? stringValue ?? boolValue ?? null;
}

/** What this process says of itself. Metadata are texts. */
export function nodeOf(id: string, metadata: Readonly<Record<string, string>>, version: string): NodeMessage {
  const fields = Object.entries(metadata).map(([key, stringValue]) => [key, { stringValue }]);
  return {
    id,
    metadata: { fields: Object.fromEntries(fields) },
    user_agent_name: 'weir',
    user_agent_version: version,
  };
}
