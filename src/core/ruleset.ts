import type { FailurePolicy } from './decision.ts';
import type { Limit } from './limit.ts';

/** A free value from YAML or a protobuf Struct. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Where a rule was written. Line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One place in the tree. Immutable once compiled; its identity may serve as a key for what others derive from it. */
export interface Rule {
  readonly key: string;
  /** '' stands for every value. */
  readonly value: string;
  /** `key`, or `key_value`: the text the field's tools show for this level, and the glob pattern of a wildcard. */
  readonly text: string;
  /** The texts from the domain down, joined by dots: the metric key without flags, and the line of /rlconfig. */
  readonly path: string;
  /** All must admit. Empty: nothing is limited here (a whitelisted value, or a parent). */
  readonly limits: readonly Limit[];
  /** true excludes limits. */
  readonly unlimited: boolean;
  /** Names of rules that fall when this one matches in the same request. */
  readonly replaces: readonly string[];
  readonly shadowMode: boolean;
  readonly quotaMode: boolean;
  readonly detailedMetric: boolean;
  readonly valueToMetric: boolean;
  readonly shareThreshold: boolean;
  /** Of the value only a keyed hash is known to counters, metrics and logs. */
  readonly hashValue: boolean;
  /** A level above or this one has value_to_metric or share_threshold, so the metric key may depend on the request. */
  readonly metricVaries: boolean;
  readonly metadata: JsonObject | null;
  readonly onStoreFailure: FailurePolicy | null;
  readonly children: Level | null;
  readonly at: Position;
}

/** A rule with a `*` in it. A value is matched whole; stars stand for any text, also none. */
export interface Wildcard {
  readonly rule: Rule;
  /** Place among all wildcards of the level: the first in file order that matches wins. */
  readonly order: number;
  /** The literals between the stars, of the value for a literal key, else of `rule.text`. */
  readonly literals: readonly string[];
}

/** The siblings below one parent, by key. */
export interface Level {
  readonly byKey: ReadonlyMap<string, KeyRules>;
  /** Wildcards whose star is in the key: they glob over `key_value`. In file order. */
  readonly starKeys: readonly Wildcard[];
}

export interface KeyRules {
  readonly exact: ReadonlyMap<string, Rule>;
  /** Wildcards in the value. In file order. */
  readonly wildcards: readonly Wildcard[];
  /** The rule without a value. */
  readonly any: Rule | null;
}

export interface Domain {
  readonly name: string;
  /** false: a refused request consumes nothing; null leaves it to the service. */
  readonly countDenied: boolean | null;
  readonly root: Level;
}

export interface Ruleset {
  /** Counts up with every set that went live, from 1. */
  readonly generation: number;
  readonly domains: ReadonlyMap<string, Domain>;
  /** Every rule that limits, is unlimited, or is listed without a limit, parents included, in file order. */
  readonly rules: readonly Rule[];
}
