import type { Limit } from './limit.ts';
import type { CheckRequest, Descriptor, Micros } from './request.ts';
import type { Rule, Ruleset } from './ruleset.ts';

/** What the rules say about one descriptor. */
export type Match =
  | { readonly kind: 'none'; readonly because: 'unknown_domain' | 'no_rule' | 'no_limit' }
  | { readonly kind: 'unlimited'; readonly rule: Rule }
  /** Another matched rule names this one in `replaces`. */
  | { readonly kind: 'replaced'; readonly rule: Rule }
  | {
      readonly kind: 'limited';
      /** At least one; without those that another rule replaces. */
      readonly limits: readonly Limit[];
      /** null: the limit came with the request. */
      readonly rule: Rule | null;
      /** What the counter of a limit goes by that has the Go service's key; else null. */
      readonly counter: string | null;
      /** What the counters of all others go by; else null. */
      readonly identity: string | null;
      /** The metric key: the domain and one text per level, joined by dots, unsanitised. */
      readonly metric: string;
    };

export type Limited = Extract<Match, { kind: 'limited' }>;

/** One thing to charge. */
export interface Hit {
  /** Which descriptor of the request it belongs to. */
  readonly of: number;
  /** The whole counter key, with the start of the window where there are windows. */
  readonly key: string;
  /** sliding_window: the key of the window before; else ''. */
  readonly previousKey: string;
  readonly limit: Limit;
  /** 0 looks, a negative cost gives back. An integer within +-MAX_HITS. */
  readonly cost: number;
  readonly windowSeconds: number;
  /** For a bucket the latest moment at which it is full again. */
  readonly windowEndUs: Micros;
  /** A shadow rule counts, and never refuses. */
  readonly shadow: boolean;
  readonly refuses: Refuses;
  /** What its rule wants when the store fails; null leaves it to the service. */
  readonly onStoreFailure: FailurePolicy | null;
}

/**
 * What it means for the request when this hit goes over: `alone` refuses it, `together` refuses it when every such hit
 * of the request goes over (quotas), `never` does not (shadow rules, and quotas beside one that always passes).
 */
export type Refuses = 'alone' | 'together' | 'never';

/** What is answered while the store can't count: an error, a yes, a no, or a count in this process alone. */
export type FailurePolicy = 'error' | 'allow' | 'deny' | 'local';

/**
 * What a store answered for one hit. `resetAfterUs`, where it is not the time until the window ends: when this cost would
 * be admitted if it was refused; when a bucket is full again if it was admitted.
 */
export type Reading =
  | {
      readonly kind: 'counted';
      /** The counter afterwards, 0 to MAX_HITS. Over its limit when it stands above it. */
      readonly used: number;
      readonly charged: true;
      readonly by: 'redis' | 'memory';
      readonly resetAfterUs?: Micros;
    }
  | {
      readonly kind: 'counted';
      /** The counter as it stands, after a refund if this was one. */
      readonly used: number;
      /** Not added, because the request was refused: for a sibling, or for this very hit. */
      readonly charged: false;
      /** It would have gone over. */
      readonly over: boolean;
      readonly by: 'redis' | 'memory';
      readonly resetAfterUs?: Micros;
    }
  /** Honest: nobody counted, or only this process, and the decision says why. */
  | {
      readonly kind: 'assumed';
      readonly outcome: Outcome;
      readonly because: Assumption;
      /** What a status tells as left when `outcome` is ok. */
      readonly remaining?: number;
      readonly resetAfterUs?: Micros;
    };

export type Assumption = 'over_limit_cache' | 'store_down' | 'breaker_open';

export type Outcome = 'ok' | 'over_limit';

/** What became of one limit. */
export interface LimitVerdict {
  readonly hit: Hit;
  readonly reading: Reading;
  /** Over its limit, whatever shadow mode makes of it. */
  readonly over: boolean;
  /** 0 when over. */
  readonly remaining: number;
  readonly resetAfterUs: Micros;
}

/** Per descriptor, in request order. */
export interface Verdict {
  readonly descriptor: Descriptor;
  readonly match: Match;
  /** What the status tells. A shadow limit over its limit tells ok. */
  readonly outcome: Outcome;
  /** Of each of its limits. Empty when there was nothing to charge. */
  readonly limits: readonly LimitVerdict[];
  /** The limit that the status speaks of; null when there is none. */
  readonly binding: LimitVerdict | null;
  /** Of `binding`. 2^32-1 for an unlimited rule. */
  readonly remaining: number;
  /** Of `binding`; 0 when there is none. */
  readonly resetAfterUs: Micros;
}

export interface Decision {
  readonly request: CheckRequest;
  readonly ruleset: Ruleset;
  readonly nowUs: Micros;
  readonly outcome: Outcome;
  /** SHADOW_MODE turned over_limit into ok. */
  readonly shadowed: boolean;
  readonly verdicts: readonly Verdict[];
  /** The limit that headers speak of; null when none binds. */
  readonly binding: LimitVerdict | null;
}
