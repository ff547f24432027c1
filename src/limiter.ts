import type { Decision } from './core/decision.ts';
import type { CheckRequest } from './core/request.ts';

/** Decides requests. Rejects with RequestError, NoRulesError or StoreError; anything else is a bug. */
export interface Limiter {
  decide(request: CheckRequest): Promise<Decision>;
}
