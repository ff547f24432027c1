import type { Problem } from '../core/ports.ts';
import type { Slice } from '../rules/ruleset-slices.ts';
import type { Stat } from '../telemetry/stats.ts';
import type { Told } from '../telemetry/summed.ts';
import type { ProfileKind } from './profile-line.ts';

/** In the environment of a worker; whom another program runs in a node:cluster of its own is none of ours. */
export const WORKER_MARK = 'WEIR_WORKER';

/** What a worker has counted since it began, in parts, as most who look want one of them. */
export interface Report {
  readonly metrics: Told;
  /** For PROMETHEUS_ADDR. */
  readonly field: Told;
  /** For statsd, which takes one value of each: the primary adds them up and sends them. */
  readonly gauges: readonly Stat[];
}

/** `all` is for whatever may be asked for in this service; gauges come with nothing else. */
export type ReportPart = 'all' | 'metrics' | 'field';

export type ToWorker =
  /** A part of a set of rules; the next one is sent when this one was placed. */
  | { readonly kind: 'slice'; readonly slice: Slice }
  /** The slices are a whole set, or, with none before, the set that is live there is so again. */
  | { readonly kind: 'rules'; readonly generation: number; readonly files: number }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[]; readonly files: number }
  /** There is no more to tell of rules for now. */
  | { readonly kind: 'up to date' }
  /** It is answered in any case, so that it also asks whether somebody is there. */
  | { readonly kind: 'report'; readonly of: ReportPart }
  | { readonly kind: 'profile'; readonly id: number; readonly of: ProfileKind; readonly lengthMs: number }
  /** The next piece is wanted, or none any more. */
  | { readonly kind: 'profile more' | 'profile over'; readonly id: number }
  /** The answer to `metrics`. */
  | { readonly kind: 'metrics'; readonly page: string }
  | { readonly kind: 'drain' };

export type ToPrimary =
  /** It can hear. */
  | { readonly kind: 'here' }
  | { readonly kind: 'wants rules' }
  /** The slice was placed, or the set is live. */
  | { readonly kind: 'placed' }
  | { readonly kind: 'serves'; readonly addresses: Readonly<Record<string, string>> }
  /** It can't start, in sentences. */
  | { readonly kind: 'failed'; readonly exitCode: number; readonly lines: readonly string[] }
  /** Parts that there are none of, or not yet, are absent. */
  | { readonly kind: 'report'; readonly of: ReportPart; readonly report: Partial<Report> }
  /** null is the end. */
  | { readonly kind: 'profile'; readonly id: number; readonly piece: Uint8Array | null | 'failed' }
  /** It was asked for the sum of all. */
  | { readonly kind: 'metrics' };
