import type { CallContext } from '../../src/wire/rpc/method.ts';
import { eventually } from '../support/eventually.ts';

/** Longer than any client of the tests lives. */
export const HOLD_MS = 120_000;
/** So long calls of a drain are held at most, while none comes on another connection. */
const AFTER_DRAIN_MS = 200;

/** Metadata by which a client of the tests says what should happen to its calls. */
const WORDS = {
  /** UnaryCall, EmptyCall: a name under which the test finds the fate of the call. */
  call: 'x-weir-call',
  /** UnaryCall: `gone`: answered when the caller has gone; `drain`: after the next drain; a number: with so many. */
  hold: 'x-weir-hold',
  /** EmptyCall: answered once a call of this name has begun. */
  await: 'x-weir-await',
  /** EmptyCall: all connections are told to go once so many calls are held for it. */
  drain: 'x-weir-drain',
  /** EmptyCall: `true` or `false`, for the health service. */
  serving: 'x-weir-serving',
} as const;

/** What became of a call with a name. */
export interface Fate {
  /** As the server saw it when the call came; null: the caller would wait for ever. */
  readonly timeoutMs: number | null;
  ended: 'answered' | 'gone' | null;
}

/** What the server has seen since it was told to forget. */
export interface Seen {
  /** Calls by connection. */
  readonly calls: ReadonlyMap<string, number>;
  readonly fates: ReadonlyMap<string, Fate>;
  /** Names of compressions of requests. */
  readonly encodings: ReadonlySet<string>;
  /** Of one message of a unary call, compressed or not. */
  readonly largestBytes: number;
  readonly drains: number;
}

/** Who does with calls what their metadata asks for, and remembers them. */
export interface Director {
  /** Returns what is to be called when the handler has ended. */
  begun(call: CallContext, bytes: number): (gone: boolean) => void;
  /** Does what an EmptyCall asks for. */
  asked(call: CallContext): Promise<void>;
  hold(call: CallContext, until: string): Promise<void>;
  readonly seen: Seen;
  forget(): void;
}

interface Acts {
  drain(): void;
  serve(serving: boolean): void;
}

export function director({ drain, serve }: Acts): Director {
  const fresh = () => ({
    calls: new Map<string, number>(),
    fates: new Map<string, Fate>(),
    encodings: new Set<string>(),
    largestBytes: 0,
    drains: 0,
  });
  let seen = fresh();
  /** Of calls that are held, by what they wait for. */
  const held = new Map<string, (() => void)[]>();

  function waiting(until: string): (() => void)[] {
    const all = held.get(until) ?? [];
    held.set(until, all);
    return all;
  }

  function release(until: string): void {
    for (const go of waiting(until).splice(0)) go();
  }

  return {
    get seen() {
      return seen;
    },
    forget() {
      seen = fresh();
    },
    begun(call, bytes) {
      seen.calls.set(call.peer, (seen.calls.get(call.peer) ?? 0) + 1);
      seen.encodings.add(call.header('grpc-encoding') ?? 'identity');
      seen.largestBytes = Math.max(seen.largestBytes, bytes);
      const name = call.header(WORDS.call);
      if (name === null) return () => {};
      const { deadlineMs } = call;
      const fate: Fate = { timeoutMs: deadlineMs === null ? null : deadlineMs - performance.now(), ended: null };
      seen.fates.set(name, fate);
      return (gone) => {
        fate.ended = gone ? 'gone' : 'answered';
      };
    },
    async hold(call, until) {
      if (until === 'gone') {
        await eventually('the caller to go', () => call.cancelled, HOLD_MS);
        return;
      }
      const released = new Promise<void>((go) => waiting(until).push(go));
      if (waiting(until).length === Number(until)) release(until);
      await released;
    },
    async asked(call) {
      const name = call.header(WORDS.await);
      if (name !== null) await eventually(`the call ${name}`, () => seen.fates.has(name), HOLD_MS);
      const serving = call.header(WORDS.serving);
      if (serving !== null) serve(serving === 'true');
      const drainAt = call.header(WORDS.drain);
      if (drainAt === null) return;
      await eventually('the calls in flight', () => waiting('drain').length >= Number(drainAt), HOLD_MS);
      const before = new Set(seen.calls.keys());
      const untilMs = performance.now() + AFTER_DRAIN_MS;
      const elsewhere = (): boolean => [...seen.calls.keys()].some((peer) => !before.has(peer));
      seen.drains++;
      drain();
      await eventually('a call elsewhere', () => elsewhere() || performance.now() >= untilMs, HOLD_MS);
      release('drain');
    },
  };
}

/** Waits as the metadata of the call asks for. */
export async function heldBy(of: Director, call: CallContext): Promise<void> {
  const until = call.header(WORDS.hold);
  if (until !== null) await of.hold(call, until);
}
