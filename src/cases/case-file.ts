import type { Outcome } from '../core/decision.ts';
import type { CheckRequest, Micros } from '../core/request.ts';

/** Unit tests for rules: what is asked, one after the other, and what must be answered. */
export interface CaseFile {
  readonly file: string;
  readonly cases: readonly Case[];
}

/** Begins with empty counters at `startUs` of a clock of its own. */
export interface Case {
  readonly name: string;
  readonly startUs: Micros;
  readonly line: number;
  readonly steps: readonly CaseStep[];
}

export type CaseStep =
  | { readonly kind: 'wait'; readonly us: Micros }
  | {
      readonly kind: 'ask';
      readonly line: number;
      readonly request: CheckRequest;
      /** So often, one after the other; each must be answered as expected. */
      readonly times: number;
      /** Of the whole request, and of its one descriptor. */
      readonly expected: Expected;
      /** Of each descriptor; empty when nothing is said. */
      readonly each: readonly Expected[];
    };

/** What is not said is not looked at. */
export interface Expected {
  readonly outcome?: Outcome;
  /** `key_value.key_value`, with or without the domain; or none, unlimited, replaced, override. */
  readonly rule?: string;
  /** The name of the limit that binds. */
  readonly limit?: string;
  readonly remaining?: number;
  /** Seconds, as `duration_until_reset` tells them. */
  readonly reset?: number;
}

/** Said of a match that is no rule's limit. */
export const NO_RULE_WORDS: readonly string[] = ['none', 'unlimited', 'replaced', 'override'];
