import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Recorded answers of the Go service, in proto3 JSON. A time that depends on the clock is `{ max: seconds }`. */
export type Recorded = Readonly<Record<string, unknown>>;

/** The parts of an answer: those that a step holds are compared. */
export interface Answer {
  readonly response?: Recorded;
  readonly error?: { readonly code: string; readonly message: string };
  /** `repeat`: the overall codes in order, "OK x2". */
  readonly codes?: readonly string[];
  readonly status?: string;
  readonly reply?: Recorded;
}
export const ANSWER_PARTS = ['response', 'error', 'codes', 'status', 'reply'] as const;

export interface HttpAsk {
  readonly on: 'http' | 'debug' | 'metrics';
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: 'json' | 'lines' | 'status' | 'text';
  /** Which lines, as regular expressions. */
  readonly pick?: readonly string[];
}

export interface Step extends Answer {
  readonly request?: Recorded;
  readonly repeat?: number;
  readonly http?: HttpAsk;
  /** The service that gRPC health is asked about. */
  readonly health?: string;
  /** Ask again for so many milliseconds until the answer is right. */
  readonly eventually?: number;
  /** Any gRPC error will do. */
  readonly anyError?: boolean;
  readonly write?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
  readonly seed?: Readonly<Record<string, number | string>>;
  readonly redis?: 'stop' | 'start' | 'freeze' | 'thaw';
  readonly sleep?: number;
  /** Wait for a new window of this unit, or for one with `room` seconds left. */
  readonly fresh?: string;
  readonly room?: number;
}

export interface Scenario {
  readonly id: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly rules?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  readonly counters?: Readonly<Record<string, number | string>>;
  readonly noCounters?: boolean;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly metricsMatch?: readonly string[];
  readonly noMetrics?: boolean;
  /** Needs a server, or a Redis, that nobody else uses. */
  readonly alone?: boolean;
  readonly ownRedis?: boolean;
}

/** Rule files that must load, or must be refused with `file: message` in the log. */
export interface RuleFileCase {
  readonly id: string;
  readonly files: Readonly<Record<string, string>>;
  readonly merge?: boolean;
  readonly accepted: boolean;
  readonly message?: string;
  readonly file?: string;
  /** Only the part of the message before the parser's own words. */
  readonly compare?: 'prefix';
}

export const isCheck = (step: Step): boolean => Boolean(step.request ?? step.http) || step.health !== undefined;
export const recordedAnswer = (step: Step): Answer =>
  Object.fromEntries(ANSWER_PARTS.filter((part) => part in step).map((part) => [part, step[part]]));

const PUBLIC = fileURLToPath(new URL('public', import.meta.url));

/** All recorded scenarios and rule-file cases, in file order. */
export function recordings(dir = PUBLIC): { scenarios: Scenario[]; cases: RuleFileCase[] } {
  const all = readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => {
      const book = JSON.parse(readFileSync(join(dir, name), 'utf8')) as { scenarios: (Scenario | RuleFileCase)[] };
      return book.scenarios;
    });
  return {
    scenarios: all.filter((it): it is Scenario => 'steps' in it),
    cases: all.filter((it): it is RuleFileCase => 'files' in it),
  };
}
