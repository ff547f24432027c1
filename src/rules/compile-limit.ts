import { isCalendarUnit, isTimeZone } from '../core/calendar.ts';
import { type Algorithm, isBucket, type Limit, type LimitNumbers, type LimitWords, limit } from '../core/limit.ts';
import { isUnit, UNIT_SECONDS, type Unit } from '../core/unit.ts';
import { type LimitDraft, placeOf, type RuleDraft, saidAt } from './parse.ts';
import { ALGORITHMS, wordHint } from './schema.ts';

/** Adds a problem of the file at hand. */
export type Refuse = (at: number, message: string, hint?: string) => void;

/** Longer windows and buckets that take longer to fill are mistakes; their microseconds are exact in a double. */
const LONGEST_SECONDS = 100 * UNIT_SECONDS.year;

/** Equal limits of a ruleset are one object. */
export function limitPool(): (numbers: LimitNumbers, words: LimitWords) => Limit {
  const made = new Map<string, Limit>();
  return (numbers, words) => {
    const id = JSON.stringify([numbers, words]);
    let known = made.get(id);
    if (known === undefined) {
      known = Object.freeze(limit(numbers, words));
      made.set(id, known);
    }
    return known;
  };
}

/** The limits of a rule whose drafts were checked. */
export function limitsOf(rule: RuleDraft, pool: ReturnType<typeof limitPool>): readonly Limit[] {
  if (rule.rate_limits === null) {
    const said = rule.rate_limit;
    return said === null || said.unlimited ? [] : [pool(numbersOf(said), wordsOf(said, rule, ''))];
  }
  const series = rule.rate_limits.map(seriesOf);
  return rule.rate_limits.map((said, i) => {
    const text = series[i] as string;
    const isAlone = said.name !== '' || series.indexOf(text) === series.lastIndexOf(text);
    return pool(numbersOf(said), wordsOf(said, rule, isAlone ? text : `${text}_${algorithmOf(said)}`));
  });
}

/**
 * `@second`, `@5_minute`: each limit of several has a metric series of its own, by its name if it has one. Without a dot,
 * since levels from the third on share a series.
 */
function seriesOf(said: LimitDraft): string {
  if (said.name !== '') return `@${said.name.replaceAll('.', '_')}`;
  const multiplier = said.unit_multiplier ?? 1;
  return `@${multiplier === 1 ? '' : `${multiplier}_`}${unitOf(said)}`;
}

function numbersOf(said: LimitDraft): LimitNumbers {
  return {
    requestsPerUnit: said.requests_per_unit,
    unit: unitOf(said) ?? 'second',
    multiplier: said.unit_multiplier ?? 1,
    algorithm: algorithmOf(said) ?? 'fixed_window',
    burst: said.burst,
    timeZone: said.calendar ? (said.time_zone ?? 'UTC') : null,
  };
}

function wordsOf(said: LimitDraft, rule: RuleDraft, series: string): LimitWords {
  const seconds = (said.unit_multiplier ?? 1) * UNIT_SECONDS[unitOf(said) ?? 'second'];
  // The answer has no field for a multiplier, so the name tells how long the window is.
  const shownName = (said.unit_multiplier ?? 1) > 1 ? `${said.name || rule.key};w=${seconds}` : said.name;
  return { name: said.name, shownName, shadowMode: rule.shadow_mode || said.shadow_mode, series };
}

/** In the order of the Go service's own checks, then those of the words it does not know. */
export function checkLimits(rule: RuleDraft, refuse: Refuse): void {
  if (rule.rate_limit !== null) checkLimit(rule.rate_limit, refuse);
  if (rule.rate_limits === null) return;
  const at = placeOf(rule, 'rate_limits');
  if (rule.rate_limit !== null) {
    refuse(at, 'rate_limits beside rate_limit', 'write that limit as one more item of rate_limits');
  }
  if (rule.rate_limits.length === 0 && rule.sound) refuse(at, 'rate_limits is empty', 'leave it out, or write a limit');
  for (const item of rule.rate_limits) checkItem(item, refuse);
  checkTwins(rule.rate_limits, refuse);
}

function checkItem(item: LimitDraft, refuse: Refuse): void {
  const unlimited = saidAt(item, 'unlimited');
  if (unlimited !== null) {
    refuse(unlimited, 'unlimited inside rate_limits', 'write it in rate_limit, in place of rate_limits');
    return;
  }
  const replaces = saidAt(item, 'replaces');
  if (replaces !== null) refuse(replaces, 'replaces inside rate_limits', 'only rate_limit can replace others');
  checkLimit(item, refuse);
}

/** Two that count the same would share a counter, and the looser of them would mean nothing. */
function checkTwins(items: readonly LimitDraft[], refuse: Refuse): void {
  const tails = new Set<string>();
  const names = new Set<string>();
  for (const item of items) {
    if (item.name !== '' && names.has(item.name)) {
      refuse(placeOf(item, 'name'), `two of the rate_limits have the name '${item.name}'`, 'give each its own');
    }
    names.add(item.name);
    if (!item.sound || unitOf(item) === null || algorithmOf(item) === null) continue;
    const { keyTail } = limit(numbersOf(item));
    if (tails.has(keyTail)) {
      const hint = 'keep the stricter, or give one another unit, unit_multiplier or algorithm';
      refuse(item.node.at, 'two of the rate_limits count the same window in the same way', hint);
    }
    tails.add(keyTail);
  }
}

function checkLimit(said: LimitDraft, refuse: Refuse): void {
  const unit = unitOf(said);
  if (said.unlimited) {
    if (unit !== null) refuse(placeOf(said, 'unit'), 'should not specify rate limit unit when unlimited');
    for (const word of OWN_WORDS) {
      const at = saidAt(said, word);
      if (at !== null) refuse(at, `${word} beside unlimited`, 'leave it out: nothing is counted');
    }
  } else {
    if (unit === null && said.sound) {
      const hint = wordHint(said.unit, Object.keys(UNIT_SECONDS));
      refuse(placeOf(said, 'unit'), `invalid rate limit unit '${said.unit}'`, hint);
    }
    checkWindow(said, unit, refuse);
    checkBurst(said, unit, refuse);
    checkCalendar(said, unit, refuse);
  }
  checkReplaces(said, refuse);
}

const OWN_WORDS = ['unit_multiplier', 'algorithm', 'burst', 'calendar', 'time_zone'] as const;

function checkReplaces(said: LimitDraft, refuse: Refuse): void {
  for (const replaced of said.replaces) {
    const at = placeOf(replaced, 'name');
    if (replaced.name === '') {
      if (replaced.sound) refuse(at, 'should not have an empty replaces entry');
    } else if (replaced.name === said.name) refuse(at, 'replaces should not contain name of same descriptor');
  }
}

function checkWindow(said: LimitDraft, unit: Unit | null, refuse: Refuse): void {
  if (algorithmOf(said) === null) {
    refuse(
      placeOf(said, 'algorithm'),
      `invalid algorithm '${said.algorithm}'`,
      wordHint(`${said.algorithm}`, ALGORITHMS),
    );
  }
  const multiplier = said.unit_multiplier;
  if (multiplier === null) return;
  const at = placeOf(said, 'unit_multiplier');
  if (multiplier < 1) refuse(at, 'unit_multiplier 0 makes no window', 'write 1 or more, or leave it out');
  if (unit !== null && multiplier * UNIT_SECONDS[unit] > LONGEST_SECONDS) {
    refuse(at, `a window of ${multiplier} ${unit}s is too long`, 'at most 100 years');
  }
}

function checkBurst(said: LimitDraft, unit: Unit | null, refuse: Refuse): void {
  const { burst, requests_per_unit: rate } = said;
  const algorithm = algorithmOf(said);
  if (algorithm === null || unit === null) return;
  const at = placeOf(said, 'burst');
  if (burst !== null && !isBucket(algorithm)) {
    refuse(at, `burst means nothing for ${algorithm}`, 'write algorithm: token_bucket, or leave burst out');
    return;
  }
  if (burst === 0) refuse(at, 'burst 0 holds nothing', 'write 1 or more; requests_per_unit: 0 refuses all');
  else if (burst !== null && rate === 0 && said.sound) {
    refuse(at, 'burst beside requests_per_unit 0 is never filled again', 'leave burst out, or write a rate');
  } else if (isBucket(algorithm) && rate > 0) {
    const { capacity, windowSeconds } = limit(numbersOf(said));
    if ((capacity / rate) * windowSeconds > LONGEST_SECONDS) {
      refuse(at, 'this bucket takes more than 100 years to fill', 'write a smaller burst or a higher rate');
    }
  }
}

function checkCalendar(said: LimitDraft, unit: Unit | null, refuse: Refuse): void {
  const zoneAt = saidAt(said, 'time_zone');
  if (zoneAt !== null && !said.calendar && said.sound) {
    refuse(zoneAt, 'time_zone without calendar: true', 'windows follow a time zone only with calendar: true');
  }
  if (said.time_zone !== null && said.calendar && !isTimeZone(said.time_zone)) {
    refuse(
      zoneAt ?? said.node.at,
      `unknown time_zone '${said.time_zone}'`,
      'an IANA name such as Europe/Berlin or UTC',
    );
  }
  if (!said.calendar) return;
  const at = placeOf(said, 'calendar');
  if (unit !== null && !isCalendarUnit(unit)) {
    refuse(at, `calendar means nothing for unit ${unit}`, 'it is for day, week, month and year');
  }
  if ((said.unit_multiplier ?? 1) > 1) {
    refuse(at, 'calendar takes no unit_multiplier', 'leave one of the two out');
  }
  const algorithm = algorithmOf(said);
  if (algorithm !== null && algorithm !== 'fixed_window') {
    refuse(at, `calendar means nothing for ${algorithm}`, 'it is for fixed_window');
  }
}

function unitOf(said: LimitDraft): Unit | null {
  // Upper case first, because Go compares upper-cased texts.
  const name = said.unit.toUpperCase().toLowerCase();
  return isUnit(name) ? name : null;
}

function algorithmOf({ algorithm }: LimitDraft): Algorithm | null {
  return algorithm === null ? 'fixed_window' : (ALGORITHMS.find((known) => known === algorithm) ?? null);
}
