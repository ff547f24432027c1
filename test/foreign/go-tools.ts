import { type GoTool, goTool } from './toolchain.ts';

const GRPCURL = { module: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', version: 'v1.9.4' };
const STATSD_EXPORTER = { module: 'github.com/prometheus/statsd_exporter', version: 'v0.31.0' };
const H2SPEC = { module: 'github.com/summerwind/h2spec/cmd/h2spec', version: 'v2.2.1+incompatible' };
const HELM = { module: 'helm.sh/helm/v4/cmd/helm', version: 'v4.3.1' };
const INTEROP_CLIENT = { module: 'google.golang.org/grpc/interop/client', version: 'v1.85.0' };
/**
 * The newest Go service that can be installed as a module. It is some months older than the one whose answers are
 * recorded in test/oracle; where the two differ, the recordings win.
 */
export const GO_SERVICE = {
  module: 'github.com/envoyproxy/ratelimit/src/service_cmd',
  version: 'v1.4.1-0.20260122083618-3fb702589d36',
};

/** In the order in which the suites ask for them. */
export const GO_TOOLS: readonly GoTool[] = [STATSD_EXPORTER, H2SPEC, GO_SERVICE, GRPCURL, INTEROP_CLIENT, HELM];

export const grpcurl = (): Promise<string> => goTool(GRPCURL);
export const statsdExporter = (): Promise<string> => goTool(STATSD_EXPORTER);
export const h2spec = (): Promise<string> => goTool(H2SPEC);
export const helm = (): Promise<string> => goTool(HELM);
export const interopClient = (): Promise<string> => goTool(INTEROP_CLIENT);
export const goService = (): Promise<string> => goTool(GO_SERVICE);
