import type { Micros } from './request.ts';

/**
 * Whether a store is asked (closed), left alone (open) or tried once (half open). Results are told with the generation
 * they were asked in; one of an older generation says nothing about the state of now.
 */
export type BreakerState =
  | {
      readonly kind: 'closed';
      readonly generation: number;
      readonly failuresInRow: number;
      /** The last second, in slots of a tenth, oldest first. */
      readonly recent: readonly Slot[];
    }
  | {
      readonly kind: 'open';
      readonly generation: number;
      readonly sinceUs: Micros;
      readonly untilUs: Micros;
      /** How often it opened without closing in between. */
      readonly openings: number;
    }
  | {
      readonly kind: 'half_open';
      readonly generation: number;
      readonly openings: number;
      /** The one probe is on its way. */
      readonly probing: boolean;
    };

interface Slot {
  readonly startUs: Micros;
  readonly results: number;
  readonly failures: number;
}

export const FAILURES_IN_ROW = 5;
export const LEAST_RESULTS = 20;
export const RECENT_US = 1_000_000;
export const FIRST_OPEN_US = 250_000;
export const LAST_OPEN_US = 5_000_000;
const SLOT_US = RECENT_US / 10;

export const CLOSED: BreakerState = { kind: 'closed', generation: 0, failuresInRow: 0, recent: [] };

/** The state in which a call may go ahead, which it then is part of; null when it may not. */
export function admit(state: BreakerState, nowUs: Micros): BreakerState | null {
  const { kind, generation } = state;
  if (kind === 'closed') return state;
  if (kind === 'half_open') return state.probing ? null : { ...state, probing: true };
  // A clock that was set back must not make the wait longer.
  if (state.sinceUs <= nowUs && nowUs < state.untilUs) return null;
  return { kind: 'half_open', generation: generation + 1, openings: state.openings, probing: true };
}

/** `random` from 0 up to 1, for the length of the opening should there be one. */
export function settle(
  state: BreakerState,
  generation: number,
  failed: boolean,
  nowUs: Micros,
  random: number,
): BreakerState {
  if (generation !== state.generation || state.kind === 'open') return state;
  if (state.kind === 'half_open') {
    if (failed) return opened(state, state.openings + 1, nowUs, random);
    return { ...CLOSED, generation: generation + 1 };
  }
  const failuresInRow = failed ? state.failuresInRow + 1 : 0;
  const recent = counted(state.recent, failed, nowUs);
  if (failed && (failuresInRow >= FAILURES_IN_ROW || failsTooOften(recent))) return opened(state, 1, nowUs, random);
  return { kind: 'closed', generation, failuresInRow, recent };
}

/** The probe never reached the store, so that another may. */
export function release(state: BreakerState, generation: number): BreakerState {
  if (generation !== state.generation || state.kind !== 'half_open') return state;
  return { ...state, probing: false };
}

/** Something was heard from the store: it is tried now instead of when the time is over. */
export function wake(state: BreakerState): BreakerState {
  if (state.kind !== 'open') return state;
  return { kind: 'half_open', generation: state.generation + 1, openings: state.openings, probing: false };
}

/** 250 ms doubling to 5 s; the jitter takes up to a quarter away, so that many processes don't probe in step. */
function opened(state: BreakerState, openings: number, nowUs: Micros, random: number): BreakerState {
  const most = Math.min(LAST_OPEN_US, FIRST_OPEN_US * 2 ** Math.min(openings - 1, 10));
  const untilUs = nowUs + Math.ceil(most * (1 - random / 4));
  return { kind: 'open', generation: state.generation + 1, sinceUs: nowUs, untilUs, openings };
}

function counted(recent: readonly Slot[], failed: boolean, nowUs: Micros): readonly Slot[] {
  const failures = failed ? 1 : 0;
  const last = recent[recent.length - 1];
  if (last !== undefined && last.startUs <= nowUs && nowUs < last.startUs + SLOT_US) {
    const slot = { startUs: last.startUs, results: last.results + 1, failures: last.failures + failures };
    return [...recent.slice(0, -1), slot];
  }
  const fresh = recent.filter(({ startUs }) => startUs <= nowUs && nowUs < startUs + RECENT_US);
  return [...fresh, { startUs: nowUs, results: 1, failures }];
}

function failsTooOften(recent: readonly Slot[]): boolean {
  let results = 0;
  let failures = 0;
  for (const slot of recent) {
    results += slot.results;
    failures += slot.failures;
  }
  return results >= LEAST_RESULTS && 2 * failures >= results;
}
