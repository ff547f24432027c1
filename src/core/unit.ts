/** Length of a window in whole seconds from the epoch; a month is 30 days and a year 365, as in Envoy's field. */
export const UNIT_SECONDS = {
  second: 1,
  minute: 60,
  hour: 3_600,
  day: 86_400,
  week: 604_800,
  month: 2_592_000,
  year: 31_536_000,
} as const;

export type Unit = keyof typeof UNIT_SECONDS;

/** `RateLimitResponse.RateLimit.Unit`; WEEK came last and is 7. An override's unit uses the same numbers. */
export const UNIT_NUMBER: Readonly<Record<Unit, number>> = {
  second: 1,
  minute: 2,
  hour: 3,
  day: 4,
  month: 5,
  year: 6,
  week: 7,
};

const BY_NUMBER: readonly (Unit | undefined)[] = [
  undefined,
  'second',
  'minute',
  'hour',
  'day',
  'month',
  'year',
  'week',
];

/** undefined for UNKNOWN (0) and for every number the protocol does not have. */
export function unitOfNumber(n: number): Unit | undefined {
  return BY_NUMBER[n];
}

export function isUnit(name: string): name is Unit {
  return Object.hasOwn(UNIT_SECONDS, name);
}
