export type Mark = 'ok' | 'warn' | 'fail';

/** One thing that was looked at. */
export interface Finding {
  /** Room and noun, for programs: `store.version`. */
  readonly name: string;
  readonly mark: Mark;
  /** A sentence; the problems of rules have further lines. Never a password. */
  readonly says: string;
  /** What to do about it; '' when there is nothing to do. */
  readonly todo: string;
}

export function ok(name: string, says: string): Finding {
  return { name, mark: 'ok', says, todo: '' };
}

export function warn(name: string, says: string, todo: string): Finding {
  return { name, mark: 'warn', says, todo };
}

export function fail(name: string, says: string, todo: string): Finding {
  return { name, mark: 'fail', says, todo };
}

/** For people: a line for each finding, and what to do about it below. */
export function formatFindings(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ name, mark, says, todo }) => {
    const room = name.split('.')[0]!;
    const text = `${mark.padEnd(4)}  ${room}: ${says}`.replaceAll('\n', '\n      ');
    return todo === '' ? [text] : [text, `      -> ${todo}`];
  });
  return [...lines, summary(findings)].join('\n');
}

/** For programs. */
export function findingsJson(findings: readonly Finding[]): string {
  const { ok: well, warn: doubtful, fail: wrong } = tally(findings);
  return JSON.stringify({ healthy: wrong === 0, ok: well, warn: doubtful, fail: wrong, findings }, null, 2);
}

function summary(findings: readonly Finding[]): string {
  const { ok: well, warn: doubtful, fail: wrong } = tally(findings);
  return `${well} ok, ${doubtful} to think about, ${wrong} wrong`;
}

function tally(findings: readonly Finding[]): Record<Mark, number> {
  const counts = { ok: 0, warn: 0, fail: 0 };
  for (const { mark } of findings) counts[mark]++;
  return counts;
}
