import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { fileDescriptors } from './descriptors.ts';
import { PROTO_FILES, PROTO_OPTIONS } from './protos.ts';
import type { GrpcJsService } from './server.ts';

/** grpc.reflection.v1 and v1alpha over all services of proto/, for grpcurl and its like. */
export function reflection(): GrpcJsService {
  const definition = loadSync(PROTO_FILES, { ...PROTO_OPTIONS, keepCase: true });
  // The service reads nothing else of a definition, and each of its entries brings all files.
  const files = { files: { fileDescriptorProtos: fileDescriptors(definition) } };
  return new ReflectionService(files as unknown as PackageDefinition);
}
