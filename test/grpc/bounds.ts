import type { GrpcBounds } from '../../src/grpc/server.ts';
import { grpcBounds } from '../../src/grpc-door.ts';
import { readSettings } from '../../src/settings/read-settings.ts';

/** Of the gRPC port when nobody says anything. */
export const GRPC_BOUNDS: GrpcBounds = grpcBounds(readSettings([], {}).settings);
