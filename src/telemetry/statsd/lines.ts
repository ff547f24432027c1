import type { Due } from './increments.ts';
import type { Mogrify } from './mogrify.ts';

export type Tags = Readonly<Record<string, string>>;

/** A line of the protocol, its end included. */
export type Line = (due: Due) => string;

/** Plain statsd, which has no tags: they go behind the name, sorted, as the Go service writes them. */
export function statsdLine(tags: Tags): Line {
  const suffix = sorted(tags)
    .map(([key, value]) => `.__${withoutDots(key)}=${withoutDots(value)}`)
    .join('');
  return (due) => `${due.name}${suffix}:${measure(due)}\n`;
}

/** DogStatsD, which has tags: those of EXTRA_TAGS and those that a mogrifier makes of the name. */
export function dogStatsdLine(tags: Tags, mogrify: Mogrify): Line {
  const extra = sorted(tags).map(([key, value]) => `${withoutDots(key)}:${withoutDots(value)}`);
  return (due) => {
    const { name, tags: made } = mogrify(due.name);
    const all = [...extra, ...made.map(([key, value]) => `${inTag(key)}:${inTag(value)}`)];
    return `${inTag(name)}:${measure(due)}${all.length === 0 ? '' : `|#${all.join(',')}`}\n`;
  };
}

function measure({ value, type, weight }: Due): string {
  return `${value}|${type}${weight === 1 ? '' : `|@${rateOf(weight)}`}`;
}

/** The share that was sent when one of so many was. Receivers cut 1/rate to a whole number, which 1/49 would make 48. */
function rateOf(weight: number): number {
  let rate = 1 / weight;
  while (Math.trunc(1 / rate) < weight) rate *= 1 - Number.EPSILON;
  return rate;
}

function sorted(tags: Tags): [key: string, value: string][] {
  return Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
}

function withoutDots(text: string): string {
  return inTag(text).replace(/[.=]/g, '_');
}

/** What a caller had a part in must not begin another tag, field or line. */
function inTag(text: string): string {
  return text.replace(/[:|,#\p{Cc}]/gu, '_');
}
