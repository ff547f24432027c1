import type { ServiceError as GrpcError } from '@grpc/grpc-js';
import { type Answer, answerOf, assumedAnswer } from './answer.ts';
import { CancelledError, errorOfCode, RequestError, UnavailableError, WeirError } from './errors.ts';
import { type Descriptor, onlyLooks, wireRequest } from './request.ts';
import { type Health, type Server, server, type Tls } from './server.ts';
import type { WireRequest, WireResponse } from './wire.ts';

/** What a check comes to when the service gives no answer: a yes, a no, or the error. */
export type FailurePolicy = 'allow' | 'deny' | 'raise';

export interface ConnectOptions {
  /** Absent: plain text. */
  readonly tls?: Tls;
  /** For a whole check, its retries included. Default 50. */
  readonly timeoutMs?: number;
  /** Default `allow`. */
  readonly onFailure?: FailurePolicy;
  /** How often a check that charges nothing is asked again when the service is unavailable. Default 2. */
  readonly retries?: number;
  /** Watch the service's health, and leave a server alone that says it does not serve. Default true. */
  readonly watchHealth?: boolean;
}

export interface CheckOptions {
  readonly timeoutMs?: number;
  readonly onFailure?: FailurePolicy;
  /** Cancels the check, which then rejects with CancelledError. */
  readonly signal?: AbortSignal | undefined;
}

/** Keeps its connections until `close`; safe to share by everything in a process. */
export interface Weir {
  /**
   * Asks whether a request may go on, and charges `hits` (1 when absent) on each descriptor without hits of its own: 0
   * only looks, a negative number gives back. Rejects with RequestError or CancelledError, and with any other WeirError
   * where the failure policy is `raise`.
   */
  check(domain: string, descriptors: readonly Descriptor[], hits?: number, options?: CheckOptions): Promise<Answer>;
  /** Resolves when a server is connected and serves, so that no first check pays for it; rejects with UnavailableError. */
  ready(timeoutMs?: number): Promise<void>;
  /** The best that is known of any server. */
  health(): Health;
  close(): void;
}

const TIMEOUT_MS = 50;
const READY_TIMEOUT_MS = 5_000;
const RETRIES = 2;
const RETRY_WAIT_MS = 5;
/** What a timer of Node.js can hold. */
const MOST_MS = 2_147_483_647;

/**
 * Connects to weir at `host:port`, `unix:/path`, or several of them, which take turns. Connecting goes on in the
 * background: checks meanwhile wait for it up to their deadline.
 */
export function connect(addresses: string | readonly string[], options: ConnectOptions = {}): Weir {
  const { tls = null, timeoutMs = TIMEOUT_MS, onFailure = 'allow', retries = RETRIES, watchHealth = true } = options;
  const all = typeof addresses === 'string' ? [addresses] : addresses;
  if (all.length === 0) throw new RangeError('there must be at least one address');
  checkTimeout(timeoutMs);
  checkPolicy(onFailure);
  const waiting = new Set<() => void>();
  const servers = all.map((address) => server(address, tls, watchHealth, changed));
  let turn = 0;
  let closed = false;

  function changed(): void {
    for (const look of [...waiting]) look();
  }

  /** In turn, those that serve; while there are none, those of which nothing is known. */
  function next(): Server {
    const health = best();
    if (health === 'not_serving') throw new UnavailableError('no server is serving', null);
    const usable = servers.filter((each) => each.health() === health);
    turn = (turn + 1) % usable.length;
    return usable[turn] as Server;
  }

  async function ask(request: WireRequest, deadlineMs: number, signal: AbortSignal | undefined): Promise<WireResponse> {
    let left = onlyLooks(request) ? retries : 0;
    for (;;) {
      if (signal?.aborted) throw cancelled(signal);
      try {
        return await next().ask(request, deadlineMs, signal);
      } catch (error) {
        if (signal?.aborted) throw cancelled(signal);
        if (closed) throw new UnavailableError('the client is closed', null, error);
        const failure = typed(error);
        if (left-- <= 0 || !(failure instanceof UnavailableError) || Date.now() + RETRY_WAIT_MS >= deadlineMs) {
          throw failure;
        }
        await new Promise((done) => setTimeout(done, RETRY_WAIT_MS));
      }
    }
  }

  return {
    async check(domain, descriptors, hits = 1, each = {}) {
      const request = wireRequest(domain, descriptors, hits);
      const within = each.timeoutMs ?? timeoutMs;
      checkTimeout(within);
      const policy = each.onFailure ?? onFailure;
      checkPolicy(policy);
      try {
        const response = await ask(request, Date.now() + within, each.signal);
        return answerOf(response, request.descriptors.length, Date.now());
      } catch (error) {
        const hidden =
          error instanceof WeirError && !(error instanceof RequestError || error instanceof CancelledError);
        if (!hidden || policy === 'raise') throw error;
        return assumedAnswer(policy === 'allow', error);
      }
    },
    async ready(withinMs = READY_TIMEOUT_MS) {
      checkTimeout(withinMs);
      if (closed) throw new UnavailableError('the client is closed', null);
      const late = Date.now() + withinMs;
      try {
        await Promise.any(servers.map((each) => each.connected(late)));
        await serving(late);
      } catch {
        throw new UnavailableError(`no server was ready within ${withinMs} ms: ${all.join(', ')}`, null);
      }
    },
    health: best,
    close() {
      closed = true;
      for (const each of servers) each.close();
    },
  };

  function best(): Health {
    const seen = servers.map((each) => each.health());
    return (['serving', 'unknown'] as const).find((health) => seen.includes(health)) ?? 'not_serving';
  }

  function serving(lateMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (how: () => void) => () => {
        clearTimeout(overdue);
        waiting.delete(look);
        how();
      };
      const overdue = setTimeout(end(reject), Math.max(0, lateMs - Date.now()));
      const look = () => {
        if (best() === 'serving') end(resolve)();
      };
      waiting.add(look);
      look();
    });
  }
}

function cancelled({ reason }: AbortSignal): CancelledError {
  return new CancelledError('the check was cancelled', null, reason);
}

function typed(error: unknown): WeirError {
  if (error instanceof WeirError) return error;
  const { code, details } = error as GrpcError;
  if (typeof code !== 'number') throw error;
  return errorOfCode(code, details, error);
}

function checkTimeout(ms: number): void {
  if (!(ms > 0 && ms <= MOST_MS)) throw new RangeError(`a timeout must be from 1 to ${MOST_MS} ms, and is ${ms}`);
}

/** Without types, a misspelt one would deny. */
function checkPolicy(policy: FailurePolicy): void {
  if (!['allow', 'deny', 'raise'].includes(policy)) {
    throw new RangeError(`a failure policy is allow, deny or raise, and not ${policy}`);
  }
}
