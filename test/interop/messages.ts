import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { PROTO_ROOT } from '../../src/grpc/protos.ts';

/** Where the clients' builds find grpc/testing/test.proto. */
export const TEST_PROTOS = fileURLToPath(new URL('./proto/', import.meta.url));

export interface Payload {
  readonly body: Uint8Array;
}

export interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

export interface SimpleRequest {
  readonly responseSize: number;
  readonly payload: Payload | null;
  readonly responseStatus: EchoStatus | null;
}

export interface StreamingInputCallRequest {
  readonly payload: Payload | null;
}

export interface StreamingOutputCallRequest {
  readonly responseParameters: readonly { readonly size: number; readonly intervalUs: number }[];
  readonly responseStatus: EchoStatus | null;
}

const definition = loadSync(['grpc/testing/test.proto', 'google/rpc/status.proto'], {
  enums: String,
  defaults: true,
  includeDirs: [TEST_PROTOS, PROTO_ROOT],
});

export const TEST_SERVICE = definition['grpc.testing.TestService'] as ServiceDefinition;
const echoStatus = definition['grpc.testing.EchoStatus'] as MessageTypeDefinition<EchoStatus, EchoStatus>;
const rpcStatus = definition['google.rpc.Status'] as MessageTypeDefinition<object, object>;

/** A google.rpc.Status that has the status itself for its one detail. */
export function statusWithDetails(status: EchoStatus): Uint8Array {
  const detail = { type_url: 'type.googleapis.com/grpc.testing.EchoStatus', value: echoStatus.serialize(status) };
  return rpcStatus.serialize({ ...status, details: [detail] });
}
