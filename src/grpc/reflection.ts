import { ReflectionService } from '@grpc/reflection';
import { protos } from './protos.ts';
import type { GrpcJsService } from './server.ts';

/** grpc.reflection.v1 and v1alpha over all services of proto/, for grpcurl and its like. */
export function reflection(): GrpcJsService {
  return new ReflectionService(protos());
}
