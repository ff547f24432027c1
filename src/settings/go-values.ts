/** The value syntaxes of the Go service's environment. Each throws an Error whose message says what is expected. */

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export function goBoolean(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new Error('expected true or false');
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A timer of Node that is set for more than 2^31-1 ms, which is 24 days, rings at once. */
const MOST_HOURS = 250;
/** The longest duration of Go, in whole hours. */
export const MOST_GO_HOURS = 2_562_047;

/** `1h30m`, `150us`, `0.5s`, or a bare 0; in milliseconds. Negative durations have no use here and are refused. */
export function goDurationMs(text: string, mostHours = MOST_HOURS): number {
  const unsigned = text.replace(/^\+/, '');
  if (unsigned === '0') return 0;
  const parts = [...unsigned.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  const read = parts.reduce((length, part) => length + part[0].length, 0);
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT_MS[unit ?? ''] ?? Number.NaN), 0);
  if (parts.length === 0 || read !== unsigned.length || ms > mostHours * 3_600_000) {
    throw new Error(`expected a duration such as 150us, 10s or 1h30m, at most ${mostHours}h`);
  }
  return ms;
}

export function integerBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(number >= least && number <= most)) throw new Error(`expected a whole number from ${least} to ${most}`);
    return number;
  };
}

export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text);
    if (!(number >= least && number <= most)) throw new Error(`expected a number from ${least} to ${most}`);
    return number;
  };
}

/** One of the words, in any letter case. */
export function oneOf<const Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word.toLowerCase() === text.toLowerCase());
    if (found === undefined) throw new Error(`expected one of ${words.join(', ')}`);
    return found;
  };
}

/** `host:port`, `[::1]:port` or `:port`; an empty host means all interfaces. */
export function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text);
  const port = Number(parts?.[3]);
  if (!parts || port > 65_535) throw new Error('expected host:port or :port');
  return { host: parts[1] ?? parts[2] ?? '', port };
}

/** `a,b,c`; blanks around a word and empty words are left out. */
export function goList(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** `k:v,k2:v2` with `:` between. A value may hold that sign. */
export function pairs(between: ':' | '='): (text: string) => Readonly<Record<string, string>> {
  return (text) =>
    Object.fromEntries(
      goList(text).map((pair) => {
        const at = pair.indexOf(between);
        if (at < 1) throw new Error(`expected key${between}value,key${between}value`);
        return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
      }),
    );
}
