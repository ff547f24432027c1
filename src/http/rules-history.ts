import type { Clock, LoadReport, Problem } from '../core/ports.ts';
import type { Micros } from '../core/request.ts';
import type { Ruleset } from '../core/ruleset.ts';

/** `waiting`: nothing was loaded or refused yet. `refused`: all that came so far was. */
export type RulesState = 'waiting' | 'refused' | 'loaded';

export interface Loaded {
  readonly ruleset: Ruleset;
  readonly files: number;
  readonly atUs: Micros;
}

export interface Refused {
  readonly problems: readonly Problem[];
  readonly files: number;
  readonly atUs: Micros;
}

/** What became of the rules: the set that is live, and the newest refusal if it is newer than that. */
export interface RulesHistory {
  rulesLoaded(report: LoadReport): void;
  state(): RulesState;
  loaded(): Loaded | null;
  refused(): Refused | null;
}

export function rulesHistory(clock: Clock): RulesHistory {
  let loaded: Loaded | null = null;
  let refused: Refused | null = null;
  return {
    rulesLoaded(report) {
      const { ok, files } = report;
      const atUs = clock.nowUs();
      if (ok) {
        loaded = { ruleset: report.ruleset, files, atUs };
        refused = null;
      } else {
        refused = { problems: report.problems, files, atUs };
      }
    },
    state: () => (loaded !== null ? 'loaded' : refused !== null ? 'refused' : 'waiting'),
    loaded: () => loaded,
    refused: () => refused,
  };
}
