import type { Decision, Hit, Match, Reading } from './core/decision.ts';
import { type JudgeOptions, judge } from './core/judge.ts';
import { type MatchOptions, match } from './core/match.ts';
import { type PlanOptions, plan } from './core/plan.ts';
import {
  type Caller,
  CallerGoneError,
  type Charge,
  type Charged,
  type Clock,
  NoRulesError,
  type Observer,
  type Store,
  StoreError,
} from './core/ports.ts';
import { type CheckRequest, RequestError } from './core/request.ts';
import type { Domain, Ruleset } from './core/ruleset.ts';
import { unitOfNumber } from './core/unit.ts';

/** Decides requests. Rejects with RequestError, NoRulesError, StoreError or CallerGoneError; anything else is a bug. */
export interface Limiter {
  decide(request: CheckRequest, caller?: Caller): Promise<Decision>;
  /** Requests that wait for the store. */
  inFlight(): number;
}

export interface LimiterOptions extends MatchOptions, PlanOptions, JudgeOptions {
  /** Of a request whose refusal is counted. */
  readonly charge: Exclude<Charge, 'only_if_admitted'>;
  /** false: a refused request consumes nothing, unless its domain says otherwise. True when absent. */
  readonly countDenied?: boolean;
}

export interface LimiterParts {
  /** null until a first valid set was loaded. */
  readonly ruleset: () => Ruleset | null;
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: Observer;
}

export function limiter({ ruleset, store, clock, observer }: LimiterParts, options: LimiterOptions): Limiter {
  let waiting = 0;

  /** The journey. The ruleset and the time are taken once; the store is the only await. */
  async function decide(request: CheckRequest, caller?: Caller): Promise<Decision> {
    const nowUs = clock.nowUs();
    const rules = refusals(request, ruleset());
    const domain = rules.domains.get(request.domain);
    const matches = match(domain, request, options);
    const hits = plan(request, matches, nowUs, options);
    let readings: readonly Reading[] = [];
    if (hits.length > 0) {
      // In line: an async function of its own would cost each decision a promise.
      waiting++;
      try {
        readings = await store.take(hits, chargeIn(domain), nowUs, caller);
      } catch (error) {
        if (error instanceof StoreError) observer.storeFailed(request, charged(matches, hits), error);
        else if (error instanceof CallerGoneError) observer.requestRefused(request, error);
        throw error;
      } finally {
        waiting--;
      }
    }
    const decision = judge(request, rules, matches, hits, readings, nowUs, options);
    // The clock follows the host's, which may be set back meanwhile.
    observer.decided(decision, Math.max(0, clock.nowUs() - nowUs));
    return decision;
  }

  function chargeIn(domain: Domain | undefined): Charge {
    return (domain?.countDenied ?? options.countDenied ?? true) ? options.charge : 'only_if_admitted';
  }

  /** Checks in the Go service's order: domain, descriptors, rules; then overrides, where the domain is known. */
  function refusals(request: CheckRequest, rules: Ruleset | null): Ruleset {
    const error = refusal(request, rules);
    if (error === null) return rules as Ruleset;
    observer.requestRefused(request, error);
    throw error;
  }

  return { decide, inFlight: () => waiting };
}

function refusal(request: CheckRequest, rules: Ruleset | null): Error | null {
  if (request.domain === '') return new RequestError('rate limit domain must not be empty');
  if (request.descriptors.length === 0) return new RequestError('rate limit descriptor list must not be empty');
  if (rules === null) return new NoRulesError();
  if (!rules.domains.has(request.domain)) return null;
  for (const { limit } of request.descriptors) {
    if (limit !== null && unitOfNumber(limit.unit) === undefined) {
      return new RequestError(`rate limit override has an unknown unit: ${limit.unit}`);
    }
  }
  return null;
}

function charged(matches: readonly Match[], hits: readonly Hit[]): readonly Charged[] {
  return hits.map((hit) => {
    const found = matches[hit.of];
    return { hit, metric: found?.kind === 'limited' ? found.metric + hit.limit.series : '' };
  });
}
