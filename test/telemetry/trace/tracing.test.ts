import { expect } from 'chai';
import type { Decision } from '../../../src/core/decision.ts';
import { type Caller, CallerGoneError, NoRulesError, type Store, StoreError } from '../../../src/core/ports.ts';
import { type CheckRequest, RequestError } from '../../../src/core/request.ts';
import type { RemoteParent } from '../../../src/telemetry/trace/remote-parent.ts';
import { type Attributes, type Span, type Spans, tracing } from '../../../src/telemetry/trace/tracing.ts';
import { decision, hit, request, ruleset, UNKNOWN_DOMAIN } from '../decisions.ts';

const DECIDED = decision('shop', ruleset(['shop']), [UNKNOWN_DOMAIN]);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

interface Recorded extends Span {
  readonly name: string;
  readonly parent: RemoteParent | Span | null;
  readonly told: Record<string, unknown>;
  ended: number;
  failure: Parameters<Span['end']>[0];
}

/** Spans that write themselves down. */
function recorder(sampled = true) {
  const spans: Recorded[] = [];
  let closes = 0;
  function made(name: string, parent: Recorded['parent'], attributes: Attributes): Recorded {
    const span: Recorded = {
      name,
      parent,
      told: { ...attributes },
      ended: 0,
      failure: null,
      tell: (more) => void Object.assign(span.told, more),
      end(failure) {
        span.ended++;
        span.failure = failure;
      },
    };
    spans.push(span);
    return span;
  }
  const source: Spans = {
    root: (name, parent, attributes) => (sampled ? made(name, parent, attributes) : null),
    child: made,
    async close() {
      closes++;
    },
  };
  return { spans, source, closes: () => closes };
}

const asked: CheckRequest = { ...request('shop'), hits: 1 };
const called = (headers: Readonly<Record<string, string>> = {}): Caller => ({
  deadlineMs: null,
  cancelled: false,
  header: (name) => headers[name] ?? null,
});

async function started(source: Spans, onBug: (error: unknown) => void = fail) {
  const made = tracing({ open: async () => source, onBug });
  await made.start();
  return made;
}

function fail(error: unknown): never {
  throw error;
}

const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};

describe('tracing', () => {
  it("makes a span of each decision, below the caller's, with domain, decision and reasons", async () => {
    const { spans, source } = recorder();
    const decider = (await started(source)).decider({ decide: async () => DECIDED, more: 7 });
    const made = await decider.decide(asked, called({ traceparent: `00-${TRACE}-${SPAN}-01` }));
    expect([made, decider.more]).to.deep.equal([DECIDED, 7]);
    expect(spans).to.have.length(1);
    expect(spans[0]).to.deep.include({
      name: 'ShouldRateLimit Execution',
      parent: { traceId: TRACE, spanId: SPAN, sampled: true, state: null },
      told: { domain: 'shop', descriptors: 0, decision: 'ok', shadowed: false, reasons: ['unknown_domain'] },
      ended: 1,
      failure: null,
    });
  });

  it('makes a span of what Redis does, below that of the decision it is for, when 50 are under way at once', async () => {
    const { spans, source } = recorder();
    const made = await started(source);
    const store = made.redis({ take: async () => [] }, 'main');
    const decider = made.decider({
      async decide(_request: CheckRequest, caller?: Caller): Promise<Decision> {
        await new Promise(setImmediate);
        await store.take([hit()], 'always', 0, caller);
        return DECIDED;
      },
    });
    await Promise.all(Array.from({ length: 50 }, (_, i) => decider.decide(asked, i % 2 ? called() : undefined)));
    const roots = spans.filter(({ name }) => name === 'ShouldRateLimit Execution');
    const children = spans.filter(({ name }) => name === 'Redis Pipeline Execution');
    expect([roots.length, children.length]).to.deep.equal([50, 50]);
    expect(new Set(children.map(({ parent }) => parent))).to.deep.equal(new Set(roots));
    expect(children[0]!.told).to.deep.equal({ 'db.system.name': 'redis', redis: 'main', hits: 1 });
    expect(spans.map(({ ended }) => ended)).to.deep.equal(Array(100).fill(1));
  });

  for (const [kind, message, error] of [
    ['store_timeout', 'late', new StoreError('timeout', 'late', new Error('key user_ann'))],
    ['request', 'no domain', new RequestError('no domain')],
    ['no_rules', 'no rate limit configuration loaded', new NoRulesError()],
    ['caller_gone', 'the caller has gone', new CallerGoneError()],
    ['bug', 'internal error', new TypeError('of user_ann')],
  ] as const) {
    it(`tells ${kind} of a call that failed, and leaves the error as it is`, async () => {
      const { spans, source } = recorder();
      const made = await started(source);
      const store = made.redis({ take: failing(error) }, 'main');
      const decider = made.decider({
        decide: (_request: CheckRequest, caller?: Caller) => store.take([hit()], 'always', 0, caller) as Promise<never>,
      });
      const thrown = await decider.decide(asked, called()).catch((it: unknown) => it);
      expect(thrown).to.equal(error);
      expect(spans.map(({ failure, ended }) => [failure, ended])).to.deep.equal([
        [{ kind, message }, 1],
        [{ kind, message }, 1],
      ]);
      expect(JSON.stringify(spans.map(({ told, failure }) => [told, failure]))).not.to.include('ann');
    });
  }

  it('asks no store for a span where the call has none, and none was started', async () => {
    const { spans, source } = recorder(false);
    const made = await started(source);
    const store: Store = { take: async () => [] };
    const decider = made.decider({
      async decide(_request: CheckRequest, caller?: Caller): Promise<Decision> {
        await made.redis(store, 'main').take([hit()], 'always', 0, caller);
        await made.redis(store, 'main').take([hit()], 'always', 0);
        return DECIDED;
      },
    });
    expect(await decider.decide(asked, called())).to.equal(DECIDED);
    expect(spans).to.deep.equal([]);
  });

  it('lets calls go on without spans before it has started and after it has stopped', async () => {
    const { spans, source, closes } = recorder();
    const made = tracing({ open: async () => source, onBug: fail });
    const decider = made.decider({ decide: async () => DECIDED });
    expect(await decider.decide(asked)).to.equal(DECIDED);
    await made.stop();
    await made.start();
    await made.stop();
    await made.stop();
    expect(await decider.decide(asked)).to.equal(DECIDED);
    expect([spans.length, closes()]).to.deep.equal([0, 1]);
  });

  for (const broken of ['root', 'child', 'tell', 'end'] as const) {
    it(`answers the call when ${broken} throws, and tells of it`, async () => {
      const bugs: unknown[] = [];
      const { source } = recorder();
      const bug = (): never => fail(new Error('of the SDK'));
      const breaking = (span: Span): Span => ({
        ...span,
        ...(broken === 'tell' || broken === 'end' ? { [broken]: bug } : {}),
      });
      const spans: Spans = {
        close: source.close,
        root: (...args) => (broken === 'root' ? bug() : breaking(source.root(...args) as Span)),
        child: (...args) => (broken === 'child' ? bug() : breaking(source.child(...args))),
      };
      const made = await started(spans, (error) => bugs.push(error));
      const store = made.redis({ take: async () => [] }, 'main');
      const decider = made.decider({
        async decide(_request: CheckRequest, caller?: Caller): Promise<Decision> {
          expect(await store.take([hit()], 'always', 0, caller)).to.deep.equal([]);
          return DECIDED;
        },
      });
      expect(await decider.decide(asked, called())).to.equal(DECIDED);
      expect(bugs).to.have.length(broken === 'end' ? 2 : 1);
    });
  }
});
