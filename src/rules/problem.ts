import type { Problem } from '../core/ports.ts';

/** More problems than this are not looked for: whoever has 100 mistakes mends those first. */
export const MAX_PROBLEMS = 100;
/** A longer source line is cut around the problem. */
const MAX_SOURCE = 120;
const MAX_MESSAGE = 500;

/** A text with the place of every line, so that an offset becomes line and column. */
export interface SourceText {
  readonly file: string;
  /** What a problem at this offset names as its file. */
  fileAt(at: number): string;
  /** Line and column count from 1; both are 0 where nobody wrote lines. */
  place(at: number): { line: number; column: number };
  /** The line around an offset, without its line break. */
  lineAt(at: number): string;
}

export function sourceText(file: string, text: string): SourceText {
  let starts: number[] | null = null;
  const lineStarts = (): number[] => {
    if (starts !== null) return starts;
    // A byte order mark is not part of the first line.
    starts = [text.startsWith('\ufeff') ? 1 : 0];
    for (const found of text.matchAll(/\r\n|\r|\n/g)) starts.push(found.index + found[0].length);
    return starts;
  };
  const lineOf = (at: number): number => {
    const all = lineStarts();
    let low = 0;
    let high = all.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (all[middle]! <= at) low = middle;
      else high = middle;
    }
    return low;
  };
  return {
    file,
    fileAt: () => file,
    place(at) {
      const line = lineOf(at);
      return { line: line + 1, column: Math.max(at - lineStarts()[line]!, 0) + 1 };
    },
    lineAt(at) {
      const line = lineOf(at);
      return text.slice(lineStarts()[line], lineStarts()[line + 1]).replace(/[\r\n]+$/, '');
    },
  };
}

/** Collects problems up to a bound; `full` tells a search to end. */
export class Problems {
  readonly #found: Problem[] = [];

  get all(): readonly Problem[] {
    return this.#found;
  }

  get full(): boolean {
    return this.#found.length >= MAX_PROBLEMS;
  }

  add(source: SourceText, at: number, message: string, hint = ''): void {
    if (this.full) return;
    this.#found.push({
      file: source.fileAt(at),
      ...source.place(at),
      message: cut(message, MAX_MESSAGE),
      hint,
      source: source.lineAt(at),
    });
  }

  addWhole(file: string, message: string, hint = ''): void {
    if (!this.full)
      this.#found.push({ file, line: 0, column: 0, message: cut(message, MAX_MESSAGE), hint, source: '' });
  }

  addAll(problems: readonly Problem[]): void {
    for (const problem of problems) if (!this.full) this.#found.push(problem);
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}

/** For people: place, message and hint, then the line and a caret below the place. */
export function formatProblem(problem: Problem): string {
  const file = visible(problem.file);
  const where = problem.line === 0 ? file : `${file}:${problem.line}:${problem.column}`;
  const hint = problem.hint === '' ? '' : `, ${problem.hint}`;
  const first = `${where}: ${visible(problem.message)}${hint}`;
  if (problem.line === 0 || problem.source === '') return first;
  const before = problem.column - 1;
  const from = before < MAX_SOURCE - 20 ? 0 : before - MAX_SOURCE / 2;
  const shown = problem.source.slice(from, from + MAX_SOURCE);
  const head = from > 0 ? '...' : '';
  const tail = from + MAX_SOURCE < problem.source.length ? '...' : '';
  const pad = head.replaceAll('.', ' ') + visible(shown.slice(0, before - from)).replaceAll(/[^\t]/gu, ' ');
  return `${first}\n  ${head}${visible(shown)}${tail}\n  ${pad}^`;
}

export function formatProblems(problems: readonly Problem[]): string {
  const more = problems.length < MAX_PROBLEMS ? [] : [`only the first ${MAX_PROBLEMS} problems are shown`];
  return [...problems.map(formatProblem), ...more].join('\n');
}

/** A terminal must not obey what a rules file or a control plane holds. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replaceAll(/[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g, '\ufffd');
}
