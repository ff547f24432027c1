import { isRestOfWindow } from './window.ts';

export const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));

/**
 * What is different, one line each; empty when equal. In `want`, `{ max: n }` stands for the rest of a window of n
 * seconds, as a number or as "12s", and `{ without: text }` for any text that does not hold that one.
 */
export function differences(want: unknown, got: unknown, at = ''): string[] {
  const max = only(want, 'max');
  if (typeof max === 'number') {
    const left = /^\d+s?$/.test(String(got)) ? Number.parseInt(String(got), 10) : Number.NaN;
    return isRestOfWindow(max, left) ? [] : [`${at}: want the rest of a ${max} s window, got ${show(got)}`];
  }
  const without = only(want, 'without');
  if (typeof without === 'string') {
    const fits = typeof got === 'string' && got !== '' && !got.includes(without);
    return fits ? [] : [`${at}: want a text without ${show(without)}, got ${show(got)}`];
  }
  if (Array.isArray(want) || Array.isArray(got)) {
    if (!Array.isArray(want) || !Array.isArray(got) || want.length !== got.length) return [unequal(want, got, at)];
    return want.flatMap((one, i) => differences(one, got[i], `${at}[${i}]`));
  }
  if (isObject(want) && isObject(got)) {
    const keys = new Set([...Object.keys(want), ...Object.keys(got)]);
    return [...keys].flatMap((key) => differences(want[key], got[key], at === '' ? key : `${at}.${key}`));
  }
  return Object.is(want, got) ? [] : [unequal(want, got, at)];
}

const unequal = (want: unknown, got: unknown, at: string) => `${at}: want ${show(want)}, got ${show(got)}`;

function only(value: unknown, key: string): unknown {
  return isObject(value) && Object.keys(value).length === 1 ? value[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
