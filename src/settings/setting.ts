import { goBoolean, goDurationMs, integerBetween, MOST_GO_HOURS } from './go-values.ts';

/** One knob. The flag is the environment name in lower case with dashes. */
export interface Setting<T> {
  readonly env: string;
  readonly group: string;
  readonly doc: string;
  /** As it would be written in the environment; '' stands for "not set". */
  readonly default: string;
  readonly parse: (text: string) => T;
  /** What a value looks like, in the help: `duration`, `true|false`. */
  readonly form: string;
}

/** Those of one heading, by their names in code. */
export function inGroup<T extends Record<string, object>>(group: string, settings: T) {
  const named = Object.entries(settings).map(([name, setting]) => [name, { ...setting, group }]);
  return Object.fromEntries(named) as { readonly [K in keyof T]: T[K] & { readonly group: string } };
}

export function setting<T>(
  env: string,
  form: string,
  fallback: string | number,
  parse: (text: string) => T,
  doc: string,
) {
  return { env, form, default: String(fallback), parse, doc };
}

export const bool = (env: string, fallback: boolean, doc: string) =>
  setting(env, 'true|false', String(fallback), goBoolean, doc);
export const duration = (env: string, fallback: string, doc: string) =>
  setting(env, 'duration', fallback, goDurationMs, doc);
/** For what may well take longer than any timer of Node. */
export const longDuration = (env: string, fallback: string, doc: string) =>
  setting(env, 'duration', fallback, (value) => goDurationMs(value, MOST_GO_HOURS), doc);
export const path = (env: string, doc: string) => setting(env, 'path', '', optionalText, doc);
export const secret = (env: string, doc: string) => setting(env, 'secret', '', optionalText, doc);

export const text = (value: string): string => value;
export const optionalText = (value: string): string | null => (value === '' ? null : value);
/** A token of RFC 9110, section 5.6.2, or nothing. */
export const headerName = (value: string): string => {
  if (!/^[\w!#$%&'*+.^`|~-]*$/.test(value)) throw new Error('expected the name of an HTTP header');
  return value;
};
export const EMPTY_IS_A_VALUE: ReadonlySet<unknown> = new Set([text, headerName]);
export const port = integerBetween(0, 65_535);
export const COUNT_MOST = 1_000_000_000;
export const count = integerBetween(0, COUNT_MOST);
export const atLeastOne = integerBetween(1, COUNT_MOST);
/** A time that is up at once makes every call fail. */
export const atLeastOneMs = (value: string): number => {
  const ms = goDurationMs(value);
  if (ms < 1) throw new Error('expected a duration of at least 1ms');
  return ms;
};

export function optional<T>(parse: (text: string) => T): (text: string) => T | null {
  return (value) => (value === '' ? null : parse(value));
}

/** 20000 as `20s`: how a bound that others keep in milliseconds is written as a default. */
export function inSeconds(ms: number): string {
  return ms === 0 ? '0' : `${ms / 1_000}s`;
}

export function flagOf({ env }: Setting<unknown>): string {
  return env.toLowerCase().replaceAll('_', '-');
}

export function isSwitch({ parse }: Setting<unknown>): boolean {
  return parse === goBoolean;
}
