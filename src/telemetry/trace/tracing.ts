import type { Decision } from '../../core/decision.ts';
import { type Caller, CallerGoneError, NoRulesError, type Part, type Store, StoreError } from '../../core/ports.ts';
import { type CheckRequest, RequestError } from '../../core/request.ts';
import { type RemoteParent, remoteParent } from './remote-parent.ts';
import { decisionAttributes } from './span-attributes.ts';

export type Attributes = Readonly<Record<string, string | number | boolean | string[]>>;

/** A stretch of work that will be told of, when it has ended. */
export interface Span {
  tell(attributes: Attributes): void;
  /** null: it went well. Else a kind of error, and what may be said of it. */
  end(failure: { readonly kind: string; readonly message: string } | null): void;
}

/** What makes spans and sends them. */
export interface Spans {
  /** null: this call is not traced. */
  root(name: string, parent: RemoteParent | null, attributes: Attributes): Span | null;
  child(name: string, of: Span, attributes: Attributes): Span;
  /** Sends what is there, for a bounded time. Does not reject. */
  close(): Promise<void>;
}

export interface TracingOptions {
  /** Loads what makes spans: only a service that traces pays for it. */
  readonly open: () => Promise<Spans>;
  /** Told of what making a span threw; the call goes on without it. */
  readonly onBug: (error: unknown) => void;
}

/** Something that decides requests: a limiter. */
interface Decides {
  decide(request: CheckRequest, caller?: Caller): Promise<Decision>;
}

/** Spans around decisions and around a store. Until it has started, and when a span fails, calls go on without. */
export interface Tracing extends Part {
  decider<D extends Decides>(inner: D): Omit<D, keyof Decides> & Decides;
  /** `name` as metrics know it: `main` or `per_second`. */
  redis(inner: Store, name: string): Store;
}

export function tracing({ open, onBug }: TracingOptions): Tracing {
  let spans: Spans | null = null;
  /** The caller goes along from the decision to its store, and so leads from the one span to the other. */
  const spanOf = new WeakMap<Caller, Span>();

  /** Makes or ends a span; whatever comes of it, the call goes on. */
  function safely<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      onBug(error);
      return null;
    }
  }

  function started({ domain, descriptors }: CheckRequest, caller: Caller): Span | null {
    const header = caller.header === undefined ? () => null : (name: string) => caller.header?.(name) ?? null;
    const attributes = { domain, descriptors: descriptors.length };
    const span = spans?.root('ShouldRateLimit Execution', remoteParent(header), attributes) ?? null;
    if (span !== null) spanOf.set(caller, span);
    return span;
  }

  return {
    name: 'tracing',
    async start() {
      spans = await open();
    },
    async stop() {
      const open = spans;
      spans = null;
      await open?.close();
    },
    decider(inner) {
      async function decide(request: CheckRequest, caller: Caller = { deadlineMs: null, cancelled: false }) {
        const span = safely(() => started(request, caller));
        if (span === null) return inner.decide(request, caller);
        try {
          const decision = await inner.decide(request, caller);
          safely(() => {
            span.tell(decisionAttributes(decision));
            span.end(null);
          });
          return decision;
        } catch (error) {
          safely(() => span.end(failureOf(error)));
          throw error;
        }
      }
      return { ...inner, decide };
    },
    redis(inner, name) {
      return {
        async take(hits, charge, nowUs, caller) {
          const above = caller && spanOf.get(caller.of ?? caller);
          const attributes = { 'db.system.name': 'redis', redis: name, hits: hits.length };
          const span = above && safely(() => spans?.child('Redis Pipeline Execution', above, attributes) ?? null);
          if (!span) return inner.take(hits, charge, nowUs, caller);
          try {
            const readings = await inner.take(hits, charge, nowUs, caller);
            safely(() => span.end(null));
            return readings;
          } catch (error) {
            safely(() => span.end(failureOf(error)));
            throw error;
          }
        },
      };
    },
  };
}

/** What callers are told may be told here; of a bug nobody knows what it holds. */
function failureOf(error: unknown): { readonly kind: string; readonly message: string } {
  if (error instanceof StoreError) return { kind: `store_${error.code}`, message: error.message };
  if (error instanceof RequestError) return { kind: 'request', message: error.message };
  if (error instanceof NoRulesError) return { kind: 'no_rules', message: error.message };
  if (error instanceof CallerGoneError) return { kind: 'caller_gone', message: error.message };
  return { kind: 'bug', message: 'internal error' };
}
