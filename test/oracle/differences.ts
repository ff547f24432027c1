import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Answer, Step } from './scenario.ts';

/** Where weir differs from the Go service on purpose. Nothing else excuses a step of a recording. */
export interface Difference {
  readonly id: string;
  /** One sentence each, for the table in docs/migrating.md. */
  readonly title: string;
  readonly go: string;
  readonly weir: string;
  readonly why: string;
  /** Holds for every recorded gRPC error with this code and message; the first that fits counts. */
  readonly codes?: readonly CodeRule[];
  readonly excuses?: readonly Excuse[];
  /** Those of its settings that have another default here. */
  readonly settings?: readonly string[];
}

export interface CodeRule {
  readonly go: string;
  /** null: every error that the recording marks as "any error will do". Then the text must not name a counter. */
  readonly message: string | null;
  readonly weir: string;
}

/** A place of the recordings where weir answers something else, and what that is. */
export interface Excuse {
  readonly scenario: string;
  /** A step, counted from 1, or what is looked at afterwards. */
  readonly at: number | 'counters' | 'metrics' | 'load';
  readonly instead: Answer | Readonly<Record<string, number | string>>;
  /** The recording holds at all other times. */
  readonly only?: 'in the last hour of a UTC day';
}

const FILE = fileURLToPath(new URL('../differences.json', import.meta.url));

export function loadDifferences(file = FILE): readonly Difference[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { differences: Difference[] }).differences;
}

/** What weir must answer, and the id of the difference when that is not what was recorded. */
export interface Expected<T> {
  readonly want: T;
  readonly because: string | null;
}

export interface Expectations {
  step(scenario: string, index: number, step: Step, recorded: Answer): Expected<Answer>;
  after<T>(scenario: string, at: 'counters' | 'metrics' | 'load', recorded: T): Expected<T>;
}

export function expectations(list: readonly Difference[]): Expectations {
  const excuses = new Map<string, { because: string; excuse: Excuse }>();
  for (const { id, excuses: own = [] } of list) {
    for (const excuse of own) excuses.set(`${excuse.scenario} ${excuse.at}`, { because: id, excuse });
  }
  const explicit = (scenario: string, at: Excuse['at']) => {
    const found = excuses.get(`${scenario} ${at}`);
    return found && (found.excuse.only === undefined || isLastHourOfDay()) ? found : undefined;
  };
  return {
    step(scenario, index, step, recorded) {
      const found = explicit(scenario, index + 1);
      if (found) return { want: found.excuse.instead as Answer, because: found.because };
      return byCode(list, scenario, step, recorded);
    },
    after<T>(scenario: string, at: 'counters' | 'metrics' | 'load', recorded: T) {
      const found = explicit(scenario, at);
      return found ? { want: found.excuse.instead as T, because: found.because } : { want: recorded, because: null };
    },
  };
}

function byCode(list: readonly Difference[], scenario: string, step: Step, recorded: Answer): Expected<Answer> {
  const { error } = recorded;
  if (error) {
    for (const { id, codes = [] } of list) {
      for (const { go, message, weir } of codes) {
        if (go !== error.code) continue;
        // Counter keys begin with the domain, and the recordings name it after the scenario.
        if (message === null && step.anyError) {
          return { want: { error: { code: weir, message: { without: scenario } as never } }, because: id };
        }
        if (message === error.message) return { want: { error: { code: weir, message } }, because: id };
      }
    }
  }
  return { want: recorded, because: null };
}

const isLastHourOfDay = (): boolean => new Date().getUTCHours() === 23;

/** The table of docs/migrating.md. */
export function differencesTable(list = loadDifferences()): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = list.map((it) => `| ${cell(it.title)} | ${cell(it.go)} | ${cell(it.weir)} | ${cell(it.why)} |`);
  return ['| What | The Go service | weir | Why |', '|---|---|---|---|', ...rows].join('\n');
}
