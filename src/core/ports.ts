import type { Decision, Hit, Reading } from './decision.ts';
import type { CheckRequest, Micros } from './request.ts';
import type { Ruleset } from './ruleset.ts';

export interface Clock {
  nowUs(): Micros;
}

/**
 * What becomes of the hits of a request that would be refused (`isDenied`): not by a shadow rule, and by quotas only when
 * all would go over. A refund is given back in any case.
 *
 * `always`: all are charged. `stop_when_over`: those that would go over are charged, the rest only looked at; each is
 * held against its counter as it stood before the request. `only_if_admitted`: none is charged; each is told over as
 * `always` would have told it.
 */
export type Charge = 'always' | 'stop_when_over' | 'only_if_admitted';

/** Who waits for the answer. A hit whose caller has gone need not be sent. */
export interface Caller {
  /** Milliseconds by `performance.now()`, which nobody sets; null when the caller would wait for ever. */
  readonly deadlineMs: number | null;
  readonly cancelled: boolean;
  /** What was sent beside the request under this name in lower case, such as `traceparent`; null when nothing was. */
  header?(name: string): string | null;
  /** Whom it stands for, when a store waits with a bound of its own. */
  readonly of?: Caller | undefined;
}

/** Who counts. The hits of one request travel together, because `charge` may make one's fate depend on the others'. */
export interface Store {
  /** One reading per hit, in order. Rejects with StoreError, or with CallerGoneError when nothing was sent. */
  take(hits: readonly Hit[], charge: Charge, nowUs: Micros, caller?: Caller): Promise<readonly Reading[]>;
}

/** `counter`: this one holds something that is no counter, and the store is well. `script`: it could not run ours. */
export type StoreErrorCode = 'timeout' | 'unavailable' | 'busy' | 'script' | 'counter';

/** The store could not count. The message may reach the caller, so it never holds a counter key or an address. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The caller's deadline passed, or it hung up, before its hits were sent: nothing was charged, and nobody reads this. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError';
  constructor() {
    super('the caller has gone');
  }
}

/** No rules have ever been loaded. */
export class NoRulesError extends Error {
  override readonly name = 'NoRulesError';
  constructor() {
    super('no rate limit configuration loaded');
  }
}

/** A mistake in rules. `line` and `column` count from 1; 0 when the whole file is meant. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, in the Go service's words where it has them. */
  readonly message: string;
  /** What to write instead, or ''. */
  readonly hint: string;
  /** The offending line of the file, or ''. */
  readonly source: string;
}

export type LoadReport =
  | { readonly ok: true; readonly ruleset: Ruleset; readonly files: number }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly files: number };

/** One rules document as it was read. `name` is the path below the rules directory, or the name of a resource. */
export interface RulesDocument {
  readonly name: string;
  readonly text: string;
  /** `yaml` when absent. `resource`: JSON with the keys of a rules file, made of what a control plane sent. */
  readonly kind?: 'yaml' | 'resource';
}

/** Something that starts and stops. `stop` may be called twice, and before `start`. */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Sees what happened; never changes it and never throws. */
export interface Observer {
  decided(decision: Decision, tookUs: Micros): void;
  /** The store failed for these hits; `request` was not answered. */
  storeFailed(request: CheckRequest, hits: readonly Charged[], error: StoreError): void;
  /** The request was refused before anything was charged; null when it could not even be read. */
  requestRefused(request: CheckRequest | null, error: Error): void;
  rulesLoaded(report: LoadReport): void;
}

/** A hit with the metric key it is counted under. */
export interface Charged {
  readonly hit: Hit;
  readonly metric: string;
}
