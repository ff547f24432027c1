import { fileURLToPath } from 'node:url';
import { loadSync, type Options, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';

/** proto/ of the package; the same way up from src/grpc and from dist/grpc. */
export const PROTO_ROOT = fileURLToPath(new URL('../../proto/', import.meta.url));

export const PROTO_FILES = ['envoy/service/ratelimit/v3/rls.proto', 'grpc/health/v1/health.proto'];

/** camelCase names, enums by name, absent scalars as their defaults. A uint64 beyond 2^53 loses its last digits. */
export const PROTO_OPTIONS: Options = { longs: Number, enums: String, defaults: true, includeDirs: [PROTO_ROOT] };

let loaded: PackageDefinition | undefined;

/** The services of proto/, read once. The hot path has a codec of its own, in rls.ts. */
export function protos(): PackageDefinition {
  loaded ??= loadSync(PROTO_FILES, PROTO_OPTIONS);
  return loaded;
}

export function serviceNamed(name: 'envoy.service.ratelimit.v3.RateLimitService' | 'grpc.health.v1.Health') {
  return protos()[name] as ServiceDefinition;
}
