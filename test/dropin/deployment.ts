import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { EnvoyJson } from '../support/envoy.ts';
import type { PlaneDomain } from '../xds/control-plane.ts';

/** How somebody runs the Go service, and what becomes of requests there. One file beside this one. */
export interface Deployment {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Further variables that are set at some times. */
  readonly variants?: readonly Deployment['env'][];
  /** Where rules files are mounted; without it they come over xDS. */
  readonly configMap?: string;
  readonly certificates?: { readonly path: string; readonly names: string };
  readonly ports: Readonly<Record<'http' | 'grpc' | 'admin', number>> & { readonly prometheus?: number };
  readonly probes: readonly Probe[];
  readonly rules: readonly PlaneDomain[];
  readonly envoy: {
    readonly domain: string;
    readonly rate_limits: readonly EnvoyJson[];
    /** Speak TLS to the service, whose certificate must be for this name. */
    readonly name?: string;
  };
  readonly requests: readonly Requests[];
  /** What the metrics tell when all requests were sent. */
  readonly series: readonly string[];
}

/** Of the kubelet. */
export interface Probe {
  readonly kind: 'startup' | 'readiness' | 'liveness';
  readonly path: string;
  readonly port: number;
}

/** As many as there are answers, one after the other. */
export interface Requests {
  /** Address of the client. */
  readonly from: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses. */
  readonly answers: readonly number[];
  /** Headers of the first and the last answer. */
  readonly first?: Readonly<Record<string, string>>;
  readonly last?: Readonly<Record<string, string>>;
}

const NAMES = ['contour', 'istio', 'kgateway', 'envoy-gateway'] as const;

export function deployments(): readonly Deployment[] {
  return NAMES.map((name) => parse(besides(`${name}.yaml`)) as Deployment);
}

/** The mapping that is mounted where PROMETHEUS_MAPPER_YAML says. */
export function mapping(): string {
  return besides('mapping.yaml');
}

function besides(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}
