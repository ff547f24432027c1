import type { Micros } from './request.ts';

/** Windows that begin where people's days, weeks (on Monday, ISO 8601), months and years begin. */
export type CalendarUnit = 'day' | 'week' | 'month' | 'year';

export interface CalendarWindow {
  readonly startUs: Micros;
  readonly endUs: Micros;
}

const DAY_SECONDS = 86_400;
/** Local midnight is never further from midnight UTC; clocks go from -12 to +14 hours, and are changed by a day at most. */
const FARTHEST_SECONDS = 2 * DAY_SECONDS;
/** Zones have many spellings. Beyond it everything is worked out anew. */
const MOST_REMEMBERED = 4_096;

/** The last window by unit and zone: it costs a hundred questions to Intl, and holds for a day at least. */
const remembered = new Map<string, CalendarWindow>();

export function isCalendarUnit(unit: string): unit is CalendarUnit {
  return unit === 'day' || unit === 'week' || unit === 'month' || unit === 'year';
}

/** Whether `name` is an IANA time zone that this runtime knows; an offset like `+01:00` is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * The window of `nowUs` in an IANA time zone: from the first instant of its first local day to that of the next window.
 * Where clocks skip midnight that is when they go on; a day that is skipped altogether is no window. Throws a RangeError
 * when the zone is not known.
 */
export function calendarWindow(unit: CalendarUnit, timeZone: string, nowUs: Micros): CalendarWindow {
  const name = `${unit} ${timeZone}`;
  const last = remembered.get(name);
  if (last !== undefined && last.startUs <= nowUs && nowUs < last.endUs) return last;
  const window = windowAt(unit, timeZone, nowUs);
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(name, window);
  return window;
}

function windowAt(unit: CalendarUnit, timeZone: string, nowUs: Micros): CalendarWindow {
  const clock = clockOf(timeZone);
  const { year, month, day } = localDate(clock, Math.floor(nowUs / 1_000_000));
  const today = dayNumber(year, month, day);
  let first = firstDay(unit, year, month, today);
  let next = nextFirstDay(unit, year, month, first);
  let end = startOfDay(clock, next);
  // Clocks that were set back over midnight show the evening twice; the second one belongs to the new day.
  while (end * 1_000_000 <= nowUs) {
    first = next;
    const date = localDate(clock, end);
    next = nextFirstDay(unit, date.year, date.month, first);
    end = startOfDay(clock, next);
  }
  return { startUs: startOfDay(clock, first) * 1_000_000, endUs: end * 1_000_000 };
}

function firstDay(unit: CalendarUnit, year: number, month: number, today: number): number {
  if (unit === 'day') return today;
  // Day 0 was a Thursday.
  if (unit === 'week') return today - ((today + 3) % 7);
  return dayNumber(year, unit === 'month' ? month : 1, 1);
}

function nextFirstDay(unit: CalendarUnit, year: number, month: number, first: number): number {
  if (unit === 'day') return first + 1;
  if (unit === 'week') return first + 7;
  if (unit === 'year' || month === 12) return dayNumber(year + 1, 1, 1);
  return dayNumber(year, month + 1, 1);
}

/** The first second whose local date is that day or later. */
function startOfDay(clock: Intl.DateTimeFormat, day: number): number {
  let before = day * DAY_SECONDS - FARTHEST_SECONDS;
  let from = day * DAY_SECONDS + FARTHEST_SECONDS;
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    const date = localDate(clock, middle);
    if (dayNumber(date.year, date.month, date.day) >= day) from = middle;
    else before = middle;
  }
  return from;
}

interface LocalDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

function localDate(clock: Intl.DateTimeFormat, seconds: number): LocalDate {
  const date = { year: 0, month: 0, day: 0 };
  for (const { type, value } of clock.formatToParts(seconds * 1_000)) {
    if (type === 'year' || type === 'month' || type === 'day') date[type] = Number(value);
  }
  return date;
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
}

/** Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that a leap day comes last. */
function dayNumber(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
