export type Unit = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';

/** Numbers of Envoy's API, and seconds: a month has 30 days, a year 365. */
const UNITS: readonly (readonly [Unit, number: number, seconds: number])[] = [
  ['second', 1, 1],
  ['minute', 2, 60],
  ['hour', 3, 3_600],
  ['day', 4, 86_400],
  ['month', 5, 2_592_000],
  ['year', 6, 31_536_000],
  ['week', 7, 604_800],
];

export function numberOfUnit(unit: Unit): number | undefined {
  return UNITS.find(([name]) => name === unit)?.[1];
}

export function unitOfNumber(number: number): { readonly unit: Unit; readonly seconds: number } | null {
  const found = UNITS.find(([, each]) => each === number);
  return found === undefined ? null : { unit: found[0], seconds: found[2] };
}
